"""The reconciler: claims what is due, advances it under a lease, stores when it is due next.

It knows no billing. A kind's `advance` may start anywhere in a thing's life, any number of times; each
step it takes asks the stored state first. Nothing is terminal by accident: an exception is logged and
tried again, later and later.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.domain.clock import Clock
    from bot.metrics import Metrics

LEASE_SECONDS = 14.0
"""Below 15, so that another process has taken over within 15 seconds of the last renewal."""
RENEW_EVERY_SECONDS = 3.0
IDLE_SECONDS = 5.0
GATHER_SECONDS = 0.01
"""Between two looks: what comes together is claimed together."""
CONCURRENCY = 8_000
"""Of each kind: twice the charges that one core follows on time. Late is better than not at all."""
RETRY_CAP_SECONDS = 60.0

log = structlog.get_logger(__name__)


def nothing_found() -> None:
    """Read nothing: the store says no more of what was claimed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A row held under a lease.

    `attempts` counts the runs since the last one that returned properly, this one included; `wakes` is
    what the row's counter said when it was claimed; `taken_over` tells that its last holder has let the
    lease run out: it died, or was stopped for too long. `found` reads the thing as it was then; one that
    cannot be read raises there, in its own run.
    """

    id: str
    token: str
    attempts: int
    wakes: int
    taken_over: bool = False
    found: Callable[[], Any] = nothing_found


class Leases(Protocol):
    """Where a kind's things are claimed and given back."""

    async def claim(self, limit: int, seconds: float) -> Sequence[Claim]:
        """Take up to `limit` due things for `seconds`."""

    async def renew(self, claims: Sequence[Claim], seconds: float) -> set[tuple[str, str]]:
        """Prolong; return the ids still held, each with its token: one row may have been claimed twice."""

    async def release(self, claim: Claim, due_at: datetime | None, *, failed: bool) -> datetime | None:
        """Give back; return when it is due by now: at once if it was woken meanwhile."""

    async def next_due(self) -> datetime | None:
        """Return when the next thing can be claimed: free and due, or its holder's lease at its end."""

    async def clear(self) -> None:
        """End the leases of a former life."""


class LeaseLostError(Exception):
    """Somebody else holds the thing now: whatever this run still wanted to do is theirs to do."""


class StoppingError(Exception):
    """The engine stops: return at once; the thing is due again at the next start."""


class Lease:
    """What `advance` is given: the claim, and a way to wait that ends when the engine stops."""

    def __init__(self, engine: Engine, kind: Kind, claim: Claim, good_until: float) -> None:
        self.claim = claim
        self.kind = kind
        self.good_until = good_until
        self.is_given_back = False
        self.due_at: datetime | None = None
        self._engine = engine

    @property
    def id(self) -> str:
        """The thing's id."""
        return self.claim.id

    @property
    def token(self) -> str:
        """What every state change compares with (fencing)."""
        return self.claim.token

    def given_back(self, due_at: datetime | None) -> None:
        """Remember that the thing was given back with its last change, and when it is due next."""
        self.is_given_back = True
        self.due_at = due_at

    async def ensure(self, seconds: float) -> None:
        """Make sure that the lease outlives a call of `seconds`, before that call leaves.

        Raises:
            LeaseLostError: it is somebody else's already.
        """
        if self.good_until - time.monotonic() <= seconds:
            await self._engine.renew([self])
        if self.good_until - time.monotonic() <= seconds:
            raise LeaseLostError(self.id)

    async def sleep(self, seconds: float) -> None:
        """Wait within `advance`.

        Raises:
            StoppingError: the engine stops.
        """
        await self._engine.sleep(seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A sort of durable thing. `advance` returns when the thing is due next, None for never by itself.

    `outages` are the errors that come from others being away: a line in the log, without a traceback.
    """

    name: str
    leases: Leases
    advance: Callable[[Lease], Awaitable[datetime | None]]
    outages: tuple[type[Exception], ...] = ()


class Engine:
    """Runs the kinds. `run` until `stop`."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        clock: Clock,
        metrics: Metrics,
        *,
        lease_seconds: float = LEASE_SECONDS,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock
        self._metrics = metrics
        metrics.expect_work(self._kinds)
        self._lease_seconds = lease_seconds
        self._concurrency = concurrency
        self._due = set(self._kinds)
        self._moments: dict[str, datetime] = {}
        self._look_at_all_at = 0.0
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._sleeping: set[asyncio.Task[Any]] = set()
        self._ended = asyncio.Event()
        self._ended.set()
        # Not by token: what is claimed together has one.
        self._held: dict[str, set[Lease]] = {kind.name: set() for kind in kinds}
        self._tasks: set[asyncio.Task[None]] = set()
        self.beat_at: float | None = None

    @property
    def in_flight(self) -> int:
        """How many things are being advanced."""
        return sum(map(len, self._held.values()))

    def wake(self, *kinds: str) -> None:
        """Look for due things of these kinds at once."""
        self._due.update(kinds)
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop` is called. A database that is away is tried again, later and later."""
        self._ended.clear()
        renewing = asyncio.create_task(self._renew_all())
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    await self._claim_due()
                    await self._wait_for_work()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - the next look may go well
                    failures += 1
                    self._metrics.engine_failures.inc()
                    log.warning("engine.cannot_look", failures=failures, problem=repr(error))
                    self._due = set(self._kinds)
                    with suppress(StoppingError):
                        await self.sleep(_backoff(failures))
        finally:
            # It ends by itself: cancelling it within a statement would leave the connection in mid-air.
            self._stopping.set()
            await renewing
            self._ended.set()

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new; let the running steps reach a safe point; give everything back."""
        self._stopping.set()
        self._woken.set()
        for task in self._sleeping:
            task.cancel()
        await self._ended.wait()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def sleep(self, seconds: float) -> None:
        """Wait on the clock; raises StoppingError as soon as the engine stops."""
        task = asyncio.current_task()
        if self._stopping.is_set() or task is None:
            raise StoppingError
        self._sleeping.add(task)
        try:
            await self._clock.sleep(seconds)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            task.uncancel()
            raise StoppingError from None
        finally:
            self._sleeping.discard(task)

    async def renew(self, leases: Sequence[Lease]) -> None:
        """Prolong these leases; what was lost is over at once and runs into LeaseLostError."""
        by_kind: dict[str, list[Lease]] = {}
        for lease in leases:
            by_kind.setdefault(lease.kind.name, []).append(lease)
        for name, group in by_kind.items():
            started = time.monotonic()
            claims = [lease.claim for lease in group]
            held = await self._kinds[name].leases.renew(claims, self._lease_seconds)
            for lease in group:
                is_held = (lease.id, lease.token) in held
                lease.good_until = started + self._lease_seconds if is_held else 0.0

    async def _claim_due(self) -> None:
        full: set[str] = set()
        while self._due and not self._stopping.is_set():
            kind = self._kinds[self._due.pop()]
            limit = min(self._concurrency - len(self._held[kind.name]), 100)
            if not limit:
                full.add(kind.name)
                continue
            started = time.monotonic()
            claims = await kind.leases.claim(limit, self._lease_seconds)
            for claim in claims:
                self._start(kind, claim, started + self._lease_seconds)
            if len(claims) == limit:
                self._due.add(kind.name)
            else:
                self._moments.pop(kind.name, None)
                self._expect(kind.name, await kind.leases.next_due())
        self._due |= full
        self.beat_at = time.monotonic()

    def _start(self, kind: Kind, claim: Claim, good_until: float) -> None:
        lease = Lease(self, kind, claim, good_until)
        self._held[kind.name].add(lease)
        self._metrics.in_flight.labels(kind.name).inc()
        if claim.taken_over:
            self._metrics.takeovers.labels(kind.name).inc()
            log.warning("engine.taken_over", kind=kind.name, id=claim.id, attempts=claim.attempts)
        task = asyncio.create_task(self._advance(lease), name=f"{kind.name} {claim.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advance(self, lease: Lease) -> None:
        failed = False
        due_at: datetime | None = self._clock.now()
        try:
            due_at = await lease.kind.advance(lease)
        except LeaseLostError:
            # Nobody knows what this run had sent: the next one must see that there was one.
            failed = True
            self._metrics.leases_lost.labels(lease.kind.name).inc()
            log.warning("engine.lease_lost", kind=lease.kind.name, id=lease.id)
        except StoppingError:
            failed = lease.claim.attempts > 1
        except asyncio.CancelledError:
            failed = True
        except Exception as error:  # noqa: BLE001 - nothing is terminal by accident
            failed = True
            due_at = self._again(lease, error)
        await self._give_back(lease, due_at, failed=failed)

    def _again(self, lease: Lease, error: Exception) -> datetime:
        """Log a run that ended in an error; return when the next one may begin."""
        wait = _backoff(lease.claim.attempts)
        self._metrics.retries.labels(lease.kind.name).inc()
        facts = {"kind": lease.kind.name, "id": lease.id, "in_seconds": round(wait, 2)}
        if isinstance(error, lease.kind.outages):
            log.warning("engine.retry", problem=type(error).__name__, **facts)
        else:
            log.error("engine.retry", exc_info=error, **facts)
        return self._clock.now() + timedelta(seconds=wait)

    async def _give_back(self, lease: Lease, due_at: datetime | None, *, failed: bool) -> None:
        try:
            if not lease.is_given_back:
                lease.due_at = await lease.kind.leases.release(lease.claim, due_at, failed=failed)
            self._expect(lease.kind.name, lease.due_at)
        except Exception as error:  # noqa: BLE001 - the lease runs out by itself, and it is due again
            log.warning("engine.release_failed", kind=lease.kind.name, id=lease.id, problem=repr(error))
        self._held[lease.kind.name].discard(lease)
        self._metrics.in_flight.labels(lease.kind.name).dec()

    def _expect(self, kind: str, moment: datetime | None) -> None:
        """Look for due things of this kind then."""
        known = self._moments.get(kind)
        if moment is not None and (known is None or moment < known):
            self._moments[kind] = moment
            self._woken.set()

    async def _wait_for_work(self) -> None:
        """Wait until there may be due things of some kind; every few seconds there may be of any."""
        await asyncio.sleep(GATHER_SECONDS)
        self._woken.clear()
        now, idle = self._clock.now(), self._look_at_all_at - time.monotonic()
        waits = {name: (moment - now).total_seconds() for name, moment in self._moments.items()}
        if self._stopping.is_set():
            return
        if idle > 0 and not self._due and not any(wait <= 0 for wait in waits.values()):
            with suppress(TimeoutError):
                async with asyncio.timeout(min([idle, *waits.values()])):
                    await self._woken.wait()
            return
        if idle <= 0:
            self._due = set(self._kinds)
            self._look_at_all_at = time.monotonic() + IDLE_SECONDS
        self._due.update(name for name, wait in waits.items() if wait <= 0)

    async def _renew_all(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(RENEW_EVERY_SECONDS):
                    await self._stopping.wait()
            try:
                await self.renew([lease for held in self._held.values() for lease in held])
            except Exception as error:  # noqa: BLE001 - each run looks at its own lease before it matters
                log.warning("engine.renew_failed", problem=repr(error))


def _backoff(attempts: int) -> float:
    ceiling = min(RETRY_CAP_SECONDS, 0.5 * 2 ** min(attempts, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads load, guards nothing
