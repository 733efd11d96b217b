"""Whether a charge may pay its request, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bot.domain.deciding import Actor, Obstacle, may_pay, obstacle, take_over_at
from bot.domain.request_errors import RequestError
from bot.domain.vote import method_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.domain.policy import Demand
    from bot.domain.request import FundsRequest
    from bot.services.people import People
    from bot.storage.charges.store import ChargeStore
    from bot.storage.links import Link
    from bot.storage.requests.deciding import Deciding
    from bot.storage.requests.store import RequestStore

_OF_POLICY = (Obstacle.LIST, Obstacle.LIMIT)

log = structlog.get_logger(__name__)


class Paying:
    """Looks before a confirmation, and explains one that did not count."""

    def __init__(
        self,
        requests: RequestStore,
        deciding: Deciding,
        charges: ChargeStore,
        people: People,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._deciding = deciding
        self._charges = charges
        self._people = people
        self._clock = clock

    async def explain(self, charge: Charge) -> Mapping[str, bool]:
        """Raise the reason why a charge cannot pay its request.

        If there is none, or no request, return the groups and channels of the payer that a policy names.

        Raises:
            RequestError: the request is not as it was shown, or this person may not decide on it.
        """
        if charge.request_id is None:
            return {}
        self._people.permission.rules.require_requests()
        request = await self._requests.get(charge.request_id)
        link = await self._people.accounts.former_link(charge.identity)
        if request is None or link is None:
            return {}
        actor, other = _payer(charge, link), await self.charge_of(request)
        memberships = await self.memberships(charge.identity, request)
        demand, counting = await self._deciding.look(request, charge.identity.user, memberships)
        shown = charge.request_version or 0
        why = obstacle(request, actor, self._clock.now(), shown=shown, charge=other, demand=demand)
        if why is None and not may_pay(request, actor, demand, counting, _method_of(charge)):
            why = Obstacle.TWO
            request = await self._deciding.needs_more(request, demand.people)
        if why is None:
            return memberships
        await self.refuse(request, why, charge.identity)
        await self._charges.cancel(charge.id, charge.identity.key, now=self._clock.now())
        raise await self.obstacle(request, why, other, demand)

    async def require_resuming(self, charge: Charge) -> Mapping[str, bool]:
        """Check that a charge that waited may still pay its request; return as `explain`.

        Raises:
            RequestError: the payer is not one who decides any more, the amount is too much, or a second
                person is needed.
            RuleError: requests are switched off.
        """
        if charge.request_id is None:
            return {}
        self._people.permission.rules.require_requests()
        request = await self._requests.get(charge.request_id)
        link = await self._people.accounts.link(charge.identity)
        if request is None:
            return {}
        memberships = await self.memberships(charge.identity, request)
        demand, counting = await self._deciding.look(request, charge.identity.user, memberships)
        why = None
        if not demand.is_listed or not demand.takes(request.amount):
            why = Obstacle.LIMIT if demand.is_listed else Obstacle.LIST
        elif not may_pay(request, _payer(charge, link), demand, counting, _method_of(charge)):
            why = Obstacle.TWO
        if why is None:
            return memberships
        await self.refuse(request, why, charge.identity)
        raise await self.obstacle(request, why, charge, demand)

    async def memberships(self, identity: Identity, request: FundsRequest) -> Mapping[str, bool]:
        """Return in which groups and channels this person is whose members decide."""
        return await self._people.channels.memberships(identity, await self._deciding.policies_of(request))

    async def charge_of(self, request: FundsRequest) -> Charge | None:
        """Return the charge that is to pay a request; None if none is."""
        return None if request.charge_id is None else await self._charges.get(request.charge_id)

    async def obstacle(
        self, request: FundsRequest, why: Obstacle, charge: Charge | None, demand: Demand
    ) -> RequestError:
        """Return the error for a request that this charge is to pay; its time limits a take-over too."""
        at = take_over_at(charge)
        is_soon_enough = at is not None and at < request.expires_at
        policies = await self._deciding.policies_of(request) if why in _OF_POLICY else ()
        return RequestError(
            request,
            why,
            charge=charge,
            take_over_at=at if is_soon_enough else None,
            policies=policies,
            over=demand.over,
        )

    async def refuse(self, request: FundsRequest, why: Obstacle, identity: Identity) -> None:
        """Record that a decision did not count."""
        log.info("approving.refused", request=request.id, why=why.value)
        await self._requests.refused(request, why, actor=identity.key)


def _payer(charge: Charge, link: Link) -> Actor:
    return Actor(
        identity=charge.identity,
        base_url=link.base_url,
        account_id=charge.account_id,
        organization_id=link.account.organization_id,
    )


def _method_of(charge: Charge) -> str:
    return "" if charge.payment_method is None else method_key(charge.payment_method)
