"""Deciding on a request: pay it, as a purchase of one's own, or deny it.

The confirmation and the request move in one transaction, in `ConfirmationStore.confirm`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import NotAllowedError, PortalRefusalError, RefusalCode
from bot.domain.next_step import NeedsPaymentMethod
from bot.domain.offer import AmountOffer, Ceiling
from bot.domain.request import Actor, FundsRequest, Obstacle, obstacle, take_over_at
from bot.domain.request_errors import RequestError, RequestNotFoundError
from bot.domain.request_views import Review

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.services.accounts import Accounts
    from bot.services.members import Members
    from bot.services.permission import Permission
    from bot.services.proposals import Proposals
    from bot.services.routing import Routing
    from bot.storage.charges.store import ChargeStore
    from bot.storage.links import Link
    from bot.storage.requests.lists import RequestLists
    from bot.storage.requests.store import RequestStore

YOUNG = timedelta(minutes=15)
"""How long a charge of the organization is named to whoever is about to add more."""

GRANTED_IN = timedelta(days=30)

log = structlog.get_logger(__name__)


class Approving:
    """What a person does with another's request."""

    def __init__(
        self,
        requests: RequestStore,
        lists: RequestLists,
        charges: ChargeStore,
        proposals: Proposals,
        accounts: Accounts,
        permission: Permission,
        routing: Routing,
        members: Members,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._lists = lists
        self._charges = charges
        self._proposals = proposals
        self._accounts = accounts
        self._permission = permission
        self._routing = routing
        self._members = members
        self._clock = clock

    async def request(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return a request of this person's workspace.

        Raises:
            RequestNotFoundError: there is none.
        """
        found = await self._requests.get(request_id, tenant=identity.tenant)
        if found is None:
            raise RequestNotFoundError
        return found

    async def review(self, identity: Identity, request_id: str) -> Review | NeedsPaymentMethod:
        """Return what this person must know to pay a request, with a proposed charge of their own.

        Raises:
            RequestNotFoundError, NotFullMemberError.
            RequestError: this person cannot decide on it, or not any more.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            RuleError: spending is stopped, or the amount exceeds a limit.
            NotAllowedError: the role, or the organization's switch.
            AmountError: the portal takes no such amount now.
            PortalRefusalError: RATE_LIMITED, until then the portal takes no charge of the organization.
        """
        self._permission.rules.require_requests()
        request, link, state = await self._asked(identity, request_id, pays=True)
        await self._permission.require_spending(identity)
        if not state.may_change_plan:
            await self._refuse(request, Obstacle.ROLE, identity)
        state.require_charging()
        await self._require_time(request)
        if state.payment_method is None:
            return NeedsPaymentMethod(state=state, amount=request.amount)
        spent = await self._permission.spent_today(identity, link.account.account_id)
        rules = self._permission.rules
        _require_amount(AmountOffer.of(state, rules), request.amount)
        rules.require(request.amount, spent)
        others = await self._charges.of_organization(request.key, since=self._clock.now() - YOUNG)
        proposal = await self._proposals.add(
            identity,
            link.account,
            request.amount,
            organization=(state.organization_id, state.organization_name),
            payment_method=state.payment_method,
            portal_url=state.portal_url,
            request=request,
        )
        return Review(
            request=request,
            proposal=proposal,
            state=state,
            others=others,
            granted=await self._lists.granted(
                request.requester.key, request.key, since=self._clock.now() - GRANTED_IN
            ),
            denied=await self._lists.denied_lately(request),
        )

    async def require_denial(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return a request that this person may deny now; a lock and read-only do not prevent that.

        Raises:
            RequestNotFoundError, NotFullMemberError, RequestError, NotLinkedError, RelinkRequiredError.
            NotAllowedError: the role.
        """
        request, _, state = await self._asked(identity, request_id, pays=False)
        if not state.may_change_plan:
            await self._refuse(request, Obstacle.ROLE, identity)
            raise NotAllowedError(RefusalCode.ROLE_REQUIRED, state.portal_url, role=state.role)
        return request

    async def deny(self, identity: Identity, request_id: str, reason: str, *, shown: int) -> FundsRequest:
        """Deny a request once, in the version that was shown; return it as it is then.

        Raises:
            As `require_denial`.
        """
        request = await self.require_denial(identity, request_id)
        if request.version != shown:
            await self._refuse(request, Obstacle.VERSION, identity)
            raise RequestError(request, Obstacle.VERSION)
        denied = request.denied(identity, reason, self._clock.now())
        if not await self._requests.change(request, denied, "denied", actor=identity.key):
            raise await self._lost(identity, request_id)
        return denied

    async def explain(self, charge: Charge) -> None:
        """Raise the reason why a charge cannot pay its request; return if there is none, or no request.

        Raises:
            RequestError: the request is not as it was shown, or this person may not decide on it.
        """
        if charge.request_id is None:
            return
        self._permission.rules.require_requests()
        request = await self._requests.get(charge.request_id)
        link = await self._accounts.former_link(charge.identity)
        if request is None or link is None:
            return
        actor = Actor(
            identity=charge.identity,
            base_url=link.base_url,
            account_id=charge.account_id,
            organization_id=link.account.organization_id,
        )
        other = await self._charge_of(request)
        shown = charge.request_version or 0
        why = obstacle(request, actor, self._clock.now(), shown=shown, charge=other)
        if why is None:
            return
        await self._refuse(request, why, charge.identity)
        await self._charges.cancel(charge.id, charge.identity.key, now=self._clock.now())
        raise _obstacle(request, why, other)

    async def _charge_of(self, request: FundsRequest) -> Charge | None:
        """Return the charge that is to pay a request; None if none is."""
        return None if request.charge_id is None else await self._charges.get(request.charge_id)

    async def leave(self, identity: Identity, charge_id: str) -> bool:
        """Leave a request to others before billing is enabled; return False if that is too late."""
        return await self._charges.leave_to_others(charge_id, identity.key) is not None

    async def _asked(
        self, identity: Identity, request_id: str, *, pays: bool
    ) -> tuple[FundsRequest, Link, BillingState]:
        """Return a request to decide on, the person's link, and what the portal says of them."""
        request = await self.request(identity, request_id)
        if request.requester.key == identity.key:
            raise await self._lost(identity, request_id, Obstacle.SELF)
        await self._members.require_full(identity)
        link = await self._accounts.link(identity)
        actor = Actor(
            identity=identity,
            base_url=link.base_url,
            account_id=link.account.account_id,
            organization_id=link.account.organization_id,
        )
        other = await self._charge_of(request)
        # One that is being paid can be taken over, but not denied.
        instead_of = other if pays else None
        why = obstacle(request, actor, self._clock.now(), shown=request.version, charge=instead_of)
        if why is not None:
            await self._refuse(request, why, identity)
            raise _obstacle(request, why, other)
        _, portal = await self._accounts.portal(identity)
        state = await portal.state()
        if state.organization_id != request.organization_id:
            raise await self._lost(identity, request_id, Obstacle.ORGANIZATION)
        await self._routing.observe(identity, link, state)
        return request, link, state

    async def _require_time(self, request: FundsRequest) -> None:
        until = await self._lists.not_before(request.key)
        if until is not None:
            wait = (until - self._clock.now()).total_seconds()
            raise PortalRefusalError(RefusalCode.RATE_LIMITED, retry_after=int(wait) + 1)

    async def _lost(
        self, identity: Identity, request_id: str, why: Obstacle = Obstacle.DECIDED
    ) -> RequestError:
        """Return the error for a decision that does not count, with the request as it is by now."""
        request = await self.request(identity, request_id)
        await self._refuse(request, why, identity)
        return RequestError(request, why)

    async def _refuse(self, request: FundsRequest, why: Obstacle, identity: Identity) -> None:
        """Record that a decision did not count."""
        log.info("approving.refused", request=request.id, why=why.value)
        await self._requests.refused(request, why, actor=identity.key)


def _require_amount(offer: AmountOffer, amount: Decimal) -> None:
    """Check that the portal takes this amount now."""
    if offer.ceiling is Ceiling.MONTHLY_LIMIT and not offer.bounds.allow(amount):
        left = offer.bounds.maximum
        raise PortalRefusalError(RefusalCode.MONTHLY_CAP_EXCEEDED, remaining=left)
    offer.bounds.check(amount)


def _obstacle(request: FundsRequest, why: Obstacle, charge: Charge | None) -> RequestError:
    """Return the error for a request that this charge is to pay; its time limits a take-over too."""
    at = take_over_at(charge)
    is_soon_enough = at is not None and at < request.expires_at
    return RequestError(request, why, charge=charge, take_over_at=at if is_soon_enough else None)
