"""Deciding on a request: pay it, as a purchase of one's own, or deny it.

The confirmation and the request move in one transaction, in `ConfirmationStore.confirm`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.deciding import Actor, Obstacle, may_pay, obstacle
from bot.domain.errors import NotAllowedError, PortalRefusalError, RefusalCode
from bot.domain.next_step import NeedsPaymentMethod
from bot.domain.offer import AmountOffer, Ceiling
from bot.domain.policy import TWO
from bot.domain.request_errors import RequestError, RequestNotFoundError
from bot.domain.request_views import FirstReview, Known, OtherMethod, Review
from bot.domain.vote import Voided, Vote, VoteKind, method_key
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.budget import BudgetUse
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.payment import PaymentMethod
    from bot.domain.policy import Demand
    from bot.domain.request import FundsRequest
    from bot.domain.request_views import Looked
    from bot.services.paying import Paying
    from bot.services.people import People
    from bot.services.proposals import Proposals
    from bot.services.routing import Routing
    from bot.storage.charges.store import ChargeStore
    from bot.storage.links import Link
    from bot.storage.requests.deciding import Deciding
    from bot.storage.requests.lists import RequestLists
    from bot.storage.requests.store import RequestStore

YOUNG = timedelta(minutes=15)
"""How long a charge of the organization is named to whoever is about to add more."""

GRANTED_IN = timedelta(days=30)
_OF_POLICY = (Obstacle.LIST, Obstacle.LIMIT)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """A request, and the person who looks at it to decide: they may, as far as is known."""

    request: FundsRequest
    link: Link
    actor: Actor
    state: BillingState
    demand: Demand
    votes: Sequence[Vote]


class Approving:
    """What a person does with another's request."""

    def __init__(
        self,
        requests: RequestStore,
        deciding: Deciding,
        lists: RequestLists,
        charges: ChargeStore,
        paying: Paying,
        proposals: Proposals,
        people: People,
        routing: Routing,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._deciding = deciding
        self._lists = lists
        self._charges = charges
        self._paying = paying
        self._proposals = proposals
        self._people = people
        self._routing = routing
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

    async def review(self, identity: Identity, request_id: str) -> Looked:
        """Return what this person must know to decide on a request.

        Whoever pays gets a proposed charge of their own; the first of two agrees to what another pays.

        Raises:
            RequestNotFoundError, NotFullMemberError.
            RequestError: this person cannot decide on it, or not any more.
            NotLinkedError, RelinkRequiredError: no grant to charge with.
            RuleError: spending is stopped, or the amount exceeds a limit.
            NotAllowedError: the role, or the organization's switch.
            AmountError: the portal takes no such amount now.
            PortalRefusalError: RATE_LIMITED, until then the portal takes no charge of the organization.
        """
        self._people.permission.rules.require_requests()
        look = await self._asked(identity, request_id, pays=True)
        request, state = look.request, look.state
        await self._people.permission.require_spending(identity)
        if not state.may_change_plan:
            await self._paying.refuse(request, Obstacle.ROLE, identity)
        state.require_charging()
        await self._require_time(request)
        if state.payment_method is None:
            return NeedsPaymentMethod(state=state, amount=request.amount)
        method = state.payment_method
        if not may_pay(request, look.actor, look.demand, look.votes, method_key(method)):
            request = await self._deciding.needs_more(request, look.demand.people)
            return await self._first_of_two(replace(look, request=request), method)
        return await self._proposed(look, method)

    async def _proposed(self, look: _Look, method: PaymentMethod) -> Review:
        """Propose the charge with which a person pays a request."""
        request, state, identity = look.request, look.state, look.actor.identity
        spent = await self._people.permission.spent_today(identity, look.actor.account_id)
        rules = self._people.permission.rules
        _require_amount(AmountOffer.of(state, rules), request.amount)
        rules.require(request.amount, spent)
        # Before the proposal, which is a charge of the organization too.
        known = await self._known(request, look.demand.uses)
        proposal = await self._proposals.add(
            identity,
            look.link.account,
            request.amount,
            organization=(state.organization_id, state.organization_name),
            payment_method=method,
            portal_url=state.portal_url,
            request=request,
        )
        is_two = max(request.needed, look.demand.people) == TWO
        first = next(iter(_others(look.votes, look.actor)), None) if is_two else None
        return Review(request=request, proposal=proposal, state=state, first=first, known=known)

    async def _first_of_two(self, look: _Look, method: PaymentMethod) -> FirstReview | OtherMethod:
        """Return what somebody looks at whose yes is not enough.

        Raises:
            RequestError: TWO, they have agreed already.
        """
        request = look.request
        others = _others(look.votes, look.actor)
        if others:
            return OtherMethod(request=request, first=others[0], method=method)
        bound = request.wanted or method
        if any(vote.method == method_key(bound) for vote in look.votes):
            raise RequestError(request, Obstacle.TWO)
        vote = Vote(
            id=secrets.token_hex(16),
            request_id=request.id,
            version=request.version,
            person=look.actor.identity,
            account_id=look.actor.account_id,
            kind=VoteKind.AGREED,
            method=method_key(bound),
            seen=method_key(method),
            at=self._clock.now(),
        )
        known = await self._known(request, look.demand.uses)
        return FirstReview(request=request, vote=vote, method=bound, state=look.state, known=known)

    async def _known(self, request: FundsRequest, uses: Sequence[BudgetUse]) -> Known:
        """Return what is known of the organization's other purchases, and of this requester.

        `uses` are the budgets that count the request.
        """
        now = self._clock.now()
        owner = request.requester.key
        return Known(
            others=await self._charges.of_organization(request.key, since=now - YOUNG),
            granted=await self._lists.granted(owner, request.key, since=now - GRANTED_IN),
            denied=await self._lists.denied_lately(request),
            uses=uses,
        )

    async def agree(
        self, identity: Identity, request_id: str, *, shown: int, method: str
    ) -> FundsRequest | Looked:
        """Store this person's yes as the first of two, to this version and payment method.

        Return the request as it is then; or what this person has to look at again, because it has changed:
        perhaps another has agreed a moment before, and this person would pay.

        Raises:
            As `review`.
        """
        found = await self.review(identity, request_id)
        if not isinstance(found, FirstReview):
            return found
        if (found.request.version, found.vote.method) != (shown, method):
            return found
        memberships = await self._paying.memberships(identity, found.request)
        agreed = await self._deciding.agree(found.request, found.vote, memberships)
        return agreed or await self.review(identity, request_id)

    async def ask_about(self, identity: Identity, request_id: str) -> FundsRequest | Looked:
        """Have the first of two asked to agree to the payment method with which this person would pay.

        Return the request as it is then; or what there is to look at instead.

        Raises:
            As `review`.
        """
        found = await self.review(identity, request_id)
        if not isinstance(found, OtherMethod) or found.first.kind is VoteKind.ASKED:
            return found
        asked = found.request.asked_about(found.method)
        if not await self._requests.change(found.request, asked, "card", actor=identity.key):
            raise await self._lost(identity, request_id)
        await self._deciding.void(Voided.CARD, votes.c.id == found.first.id)
        return asked

    async def require_denial(self, identity: Identity, request_id: str) -> FundsRequest:
        """Return a request that this person may deny now; a lock and read-only do not prevent that.

        Raises:
            RequestNotFoundError, NotFullMemberError, RequestError, NotLinkedError, RelinkRequiredError.
            NotAllowedError: the role.
        """
        look = await self._asked(identity, request_id, pays=False)
        if not look.state.may_change_plan:
            await self._paying.refuse(look.request, Obstacle.ROLE, identity)
            portal_url = look.state.portal_url
            raise NotAllowedError(RefusalCode.ROLE_REQUIRED, portal_url, role=look.state.role)
        return look.request

    async def deny(self, identity: Identity, request_id: str, reason: str, *, shown: int) -> FundsRequest:
        """Deny a request once, in the version that was shown; return it as it is then.

        Raises:
            As `require_denial`.
        """
        request = await self.require_denial(identity, request_id)
        if request.version != shown:
            await self._paying.refuse(request, Obstacle.VERSION, identity)
            raise RequestError(request, Obstacle.VERSION)
        denied = request.denied(identity, reason, self._clock.now())
        if not await self._requests.change(request, denied, "denied", actor=identity.key):
            raise await self._lost(identity, request_id)
        return denied

    async def leave(self, identity: Identity, charge_id: str) -> bool:
        """Leave a request to others before billing is enabled; return False if that is too late."""
        return await self._charges.leave_to_others(charge_id, identity.key) is not None

    async def _asked(self, identity: Identity, request_id: str, *, pays: bool) -> _Look:
        """Return a request to decide on, and who is about to: what policies, votes and the portal say."""
        request = await self.request(identity, request_id)
        if request.requester.key == identity.key:
            raise await self._lost(identity, request_id, Obstacle.SELF)
        await self._people.members.require_full(identity)
        link = await self._people.accounts.link(identity)
        actor = Actor(
            identity=identity,
            base_url=link.base_url,
            account_id=link.account.account_id,
            organization_id=link.account.organization_id,
        )
        other = await self._paying.charge_of(request)
        # One that is being paid can be taken over, but not denied.
        instead_of = other if pays else None
        memberships = await self._paying.memberships(identity, request)
        demand, counting = await self._deciding.look(request, identity.user, memberships)
        now = self._clock.now()
        asks = demand if pays else replace(demand, request_max=None, over=None)
        why = obstacle(request, actor, now, shown=request.version, charge=instead_of, demand=asks)
        if why is not None:
            await self._paying.refuse(request, why, identity)
            raise await self._paying.obstacle(request, why, other, demand)
        _, portal = await self._people.accounts.portal(identity)
        state = await portal.state()
        if state.organization_id != request.organization_id:
            raise await self._lost(identity, request_id, Obstacle.ORGANIZATION)
        await self._routing.observe(identity, link, state)
        return _Look(request=request, link=link, actor=actor, state=state, demand=demand, votes=counting)

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
        await self._paying.refuse(request, why, identity)
        return RequestError(request, why)


def _require_amount(offer: AmountOffer, amount: Decimal) -> None:
    """Check that the portal takes this amount now."""
    if offer.ceiling is Ceiling.MONTHLY_LIMIT and not offer.bounds.allow(amount):
        left = offer.bounds.maximum
        raise PortalRefusalError(RefusalCode.MONTHLY_CAP_EXCEEDED, remaining=left)
    offer.bounds.check(amount)


def _others(counting: Sequence[Vote], actor: Actor) -> Sequence[Vote]:
    """Return the votes of other people than this one."""
    return [
        vote
        for vote in counting
        if vote.person.key != actor.identity.key and vote.account_id != actor.account_id
    ]
