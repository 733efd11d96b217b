"""The durable work on a request: reminders, telling others, its end, and following its charge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.request import LOOK_AGAIN, FundsRequest, RequestState, Withdrawal
from bot.engine import LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.engine import Lease, Released
    from bot.services.routing import Routing
    from bot.storage.charges.store import ChargeStore
    from bot.storage.requests.store import RequestStore


class RequestWorker:
    """Advances requests."""

    def __init__(
        self, requests: RequestStore, charges: ChargeStore, routing: Routing, clock: Clock
    ) -> None:
        self._requests = requests
        self._charges = charges
        self._routing = routing
        self._clock = clock

    async def end_switched_off(self) -> None:
        """Where requests are switched off, have those that are open withdrawn."""
        if not self._requests.are_on:
            await self._requests.wake_open()

    async def advance(self, lease: Lease[FundsRequest]) -> Released | datetime | None:
        """Do what time has brought; return when to look again (UTC)."""
        request = lease.load()
        now = self._clock.now()
        if request.state is RequestState.OPEN:
            if not self._requests.are_on:
                return await self._save(lease, request.withdrawn(Withdrawal.SWITCHED_OFF, now))
            return await self._wait(lease, request, now)
        if request.is_over or request.charge_id is None:
            return None
        return await self._follow(request)

    async def _wait(
        self, lease: Lease[FundsRequest], request: FundsRequest, now: datetime
    ) -> datetime | None:
        """Do what is due with an open request: end it, tell others as well, remind."""
        if now >= request.expires_at:
            return await self._save(lease, request.expired(now))
        escalates, reminds = request.escalates_at(), request.reminds_at()
        if escalates is not None and now >= escalates:
            others = await self._routing.others(request)
            return await self._save(lease, request.escalated(now), "escalated", tell=others)
        if reminds is not None and now >= reminds:
            return await self._save(lease, request.reminded(now), "reminded")
        return request.due_at()

    async def _save(
        self,
        lease: Lease[FundsRequest],
        after: FundsRequest,
        result: str | None = None,
        *,
        tell: Sequence[Identity] = (),
    ) -> datetime | None:
        """Write it, unless a person was faster; then look again at once."""
        try:
            await self._requests.save(lease, lease.load(), after, result or after.state.value, tell=tell)
        except LeaseLostError:
            return self._clock.now()
        return after.due_at() if after.state is RequestState.OPEN else None

    async def _follow(self, request: FundsRequest) -> datetime | None:
        """Look at the charge: a process of the release before does not move its request."""
        charge = await self._charges.get(request.charge_id or "")
        now = self._clock.now()
        if charge is not None and await self._requests.catch_up(charge):
            return now
        return now + LOOK_AGAIN if request.state is RequestState.CHARGING else None
