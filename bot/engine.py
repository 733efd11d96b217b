"""The reconciler: claims due work, advances it under a lease, and stores when it is due next.

It contains no billing logic. A kind's `advance` may start at any point of a thing's life, any number of
times, so each step reads the stored state first. No error ends the work: the engine logs it and retries
with growing waits.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import structlog

from bot.domain.backoff import Backoff
from bot.elapsed import elapsed
from bot.timing import LEASE_SECONDS, LOOK_FOR_WORK_SECONDS, RENEW_EVERY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.domain.clock import Clock
    from bot.metrics import Metrics

GATHER_SECONDS = 0.01
"""Pause between two claims, so that work which becomes due together is claimed together."""
CONCURRENCY = 8_000
"""The limit per kind: twice as many charges as one core can poll on time."""
RETRY = Backoff(0.5, 60)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim(Generic[T_co]):
    """A row held under a lease.

    `attempts` counts the runs since the last one that returned, including this one. `wakes` is the row's
    wake counter at the claim. `taken_over` is true if the last holder's lease expired: its process died, or
    was paused too long. `load` returns the thing as it was at the claim. It raises if the row cannot be
    read, so that only this thing's run fails.
    """

    id: str
    token: str
    attempts: int
    wakes: int
    taken_over: bool = False
    load: Callable[[], T_co]


class Leases(Protocol[T]):
    """Where the things of one kind are claimed and released."""

    @property
    def kind(self) -> str:
        """The kind's name, for metrics, logs and notifications."""

    async def claim(self, limit: int, seconds: float) -> Sequence[Claim[T]]:
        """Claim up to `limit` due things for `seconds`."""

    async def renew(self, claims: Sequence[Claim[T]], seconds: float) -> set[tuple[str, str]]:
        """Extend leases; return (id, token) of those still held. One row may have been claimed twice."""

    async def release(self, claim: Claim[T], due_at: datetime | None, *, failed: bool) -> datetime | None:
        """Release a claim; return when it is due (UTC): now if it was woken meanwhile and did not fail."""

    async def next_due(self) -> datetime | None:
        """Return when the next thing can be claimed (UTC): when it is due, or when its lease expires."""

    async def clear(self) -> None:
        """End the leases of a former process."""


class LeaseLostError(Exception):
    """Another run holds the thing now and does the remaining work."""


class StoppingError(Exception):
    """The engine stops: return immediately. The thing is due at once, for any process."""


@dataclass(frozen=True, slots=True)
class Released:
    """Returned by `advance` if its last write has released the thing; it is due again at `due_at` (UTC)."""

    due_at: datetime | None = None


class Lease(Generic[T]):
    """The argument of `advance`: the claim, and a sleep that ends when the engine stops."""

    def __init__(self, engine: Engine, kind: Kind[T], claim: Claim[T], good_until: float) -> None:
        self.claim = claim
        self.kind = kind
        self.good_until = good_until
        self._engine = engine

    @property
    def id(self) -> str:
        """The thing's id."""
        return self.claim.id

    @property
    def token(self) -> str:
        """The fencing token that every state change is conditional on."""
        return self.claim.token

    def load(self) -> T:
        """Return the thing as it was at the claim."""
        return self.claim.load()

    async def ensure(self, seconds: float) -> None:
        """Make sure that the lease outlasts a call of `seconds`; call this before sending.

        Raises:
            LeaseLostError: another run holds the thing.
        """
        if self.good_until - elapsed() <= seconds:
            await self._engine.renew([self])
        if self.good_until - elapsed() <= seconds:
            raise LeaseLostError(self.id)

    async def sleep(self, seconds: float) -> None:
        """Wait within `advance`, in seconds.

        Raises:
            StoppingError: the engine stops.
        """
        await self._engine.sleep(seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind(Generic[T]):
    """A kind of durable work.

    `advance` moves a thing as far as possible. It returns when the thing is due next (UTC), None for never
    by itself, or Released if its last write has stored that already. `outages` are the errors of
    unavailable servers: they are logged in one line, without a traceback.
    """

    leases: Leases[T]
    advance: Callable[[Lease[T]], Awaitable[Released | datetime | None]]
    outages: tuple[type[Exception], ...] = ()

    @property
    def name(self) -> str:
        """The kind's name, also in notifications from its store."""
        return self.leases.kind


class Engine:
    """Advances the work of all kinds, from `run` until `stop`."""

    def __init__(
        self,
        kinds: Sequence[Kind[Any]],
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
        # Not keyed by token: things that are claimed together share one token.
        self._held: dict[str, set[Lease[Any]]] = {kind.name: set() for kind in kinds}
        self._tasks: set[asyncio.Task[None]] = set()
        self.beat_at: float | None = None

    @property
    def in_flight(self) -> int:
        """How many things are being advanced."""
        return sum(map(len, self._held.values()))

    def wake(self, *kinds: str) -> None:
        """Look for due things of these kinds immediately; kinds of another release are only counted."""
        known = self._kinds.keys() & set(kinds)
        self._metrics.unknown_work.inc(len(set(kinds)) - len(known))
        if known:
            self._due |= known
            self._woken.set()

    async def run(self) -> None:
        """Work until `stop` is called. A missing database is tried again with growing waits."""
        self._ended.clear()
        renewing = asyncio.create_task(self._renew_all())
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    await self._claim_due()
                    await self._wait_for_work()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - the next look may succeed
                    failures += 1
                    self._metrics.engine_failures.inc()
                    log.warning("engine.cannot_look", failures=failures, problem=repr(error))
                    self._due = set(self._kinds)
                    with suppress(StoppingError):
                        await self.sleep(_retry_wait(failures))
        finally:
            # Let it end by itself: canceling it within a statement would leave its connection unusable.
            self._stopping.set()
            await renewing
            self._ended.set()

    async def stop(self, grace_seconds: float) -> None:
        """Claim nothing new, let the running steps reach a safe point, and release everything."""
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
        """Wait `seconds` on the clock; raise StoppingError as soon as the engine stops."""
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

    async def renew(self, leases: Sequence[Lease[Any]]) -> None:
        """Extend these leases. A lost one expires at once, so its run raises LeaseLostError."""
        by_kind: dict[str, list[Lease[Any]]] = {}
        for lease in leases:
            by_kind.setdefault(lease.kind.name, []).append(lease)
        for name, group in by_kind.items():
            started = elapsed()
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
            started = elapsed()
            claims = await kind.leases.claim(limit, self._lease_seconds)
            for claim in claims:
                self._start(kind, claim, started + self._lease_seconds)
            if len(claims) == limit:
                self._due.add(kind.name)
            else:
                self._moments.pop(kind.name, None)
                self._expect(kind.name, await kind.leases.next_due())
        self._due |= full
        self.beat_at = elapsed()

    def _start(self, kind: Kind[T], claim: Claim[T], good_until: float) -> None:
        lease = Lease(self, kind, claim, good_until)
        self._held[kind.name].add(lease)
        self._metrics.in_flight.labels(kind.name).inc()
        if claim.taken_over:
            self._metrics.takeovers.labels(kind.name).inc()
            log.warning("engine.taken_over", kind=kind.name, id=claim.id, attempts=claim.attempts)
        task = asyncio.create_task(self._advance(lease), name=f"{kind.name} {claim.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advance(self, lease: Lease[Any]) -> None:
        failed = False
        ended: Released | datetime | None = self._clock.now()
        try:
            ended = await lease.kind.advance(lease)
        except LeaseLostError:
            # What this run sent is unknown, so the next run must know that there was one.
            failed = True
            self._metrics.leases_lost.labels(lease.kind.name).inc()
            log.warning("engine.lease_lost", kind=lease.kind.name, id=lease.id)
        except StoppingError:
            failed = lease.claim.attempts > 1
        except asyncio.CancelledError:
            failed = True
        except Exception as error:  # noqa: BLE001 - no error ends a thing's life
            failed = True
            ended = self._again(lease, error)
        await self._give_back(lease, ended, failed=failed)

    def _again(self, lease: Lease[Any], error: Exception) -> datetime:
        """Log a run that ended in an error; return when the next one may begin."""
        wait = _retry_wait(lease.claim.attempts)
        self._metrics.retries.labels(lease.kind.name).inc()
        facts = {"kind": lease.kind.name, "id": lease.id, "in_seconds": round(wait, 2)}
        if isinstance(error, lease.kind.outages):
            log.warning("engine.retry", problem=type(error).__name__, **facts)
        else:
            log.error("engine.retry", exc_info=error, **facts)
        return self._clock.now() + timedelta(seconds=wait)

    async def _give_back(
        self, lease: Lease[Any], ended: Released | datetime | None, *, failed: bool
    ) -> None:
        name = lease.kind.name
        try:
            if isinstance(ended, Released):
                due_at = ended.due_at
            else:
                due_at = await lease.kind.leases.release(lease.claim, ended, failed=failed)
            self._expect(name, due_at)
        except Exception as error:  # noqa: BLE001 - the lease expires by itself, and the thing is due again
            log.warning("engine.release_failed", kind=name, id=lease.id, problem=repr(error))
        self._held[name].discard(lease)
        self._metrics.in_flight.labels(name).dec()

    def _expect(self, kind: str, moment: datetime | None) -> None:
        """Look for due things of this kind at that moment."""
        known = self._moments.get(kind)
        if moment is not None and (known is None or moment < known):
            self._moments[kind] = moment
            self._woken.set()

    async def _wait_for_work(self) -> None:
        """Wait until some kind may have due things; every few seconds, look at all kinds."""
        await asyncio.sleep(GATHER_SECONDS)
        self._woken.clear()
        now, idle = self._clock.now(), self._look_at_all_at - elapsed()
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
            self._look_at_all_at = elapsed() + LOOK_FOR_WORK_SECONDS
        self._due.update(name for name, wait in waits.items() if wait <= 0)

    async def _renew_all(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(RENEW_EVERY_SECONDS):
                    await self._stopping.wait()
            try:
                await self.renew([lease for held in self._held.values() for lease in held])
            except Exception as error:  # noqa: BLE001 - each run checks its own lease before it sends
                log.warning("engine.renew_failed", problem=repr(error))


def _retry_wait(attempts: int) -> float:
    return RETRY.wait(attempts, random.random())  # noqa: S311 - spreads load, guards nothing
