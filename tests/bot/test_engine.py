from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.engine import Claim, Engine, Kind, Lease, LeaseLostError
from bot.metrics import Metrics
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


def nothing() -> None:
    """Read nothing: these things have no facts."""


class Shelf:
    """Durable things in a dict: the engine's contract without a database."""

    def __init__(self, *ids: str, kind: str = "thing") -> None:
        self.kind = kind
        self.due: dict[str, datetime | None] = dict.fromkeys(ids, SystemClock().now())
        self.held: dict[str, str] = {}
        self.released: list[tuple[str, bool]] = []
        self.attempts: dict[str, int] = {}
        self.broken = 0
        self.claims = 0
        self.renewed: set[str] = set()
        self.changed = asyncio.Condition()

    async def claim(self, limit: int, seconds: float) -> Sequence[Claim[None]]:
        assert seconds > 0
        if self.broken:
            self.broken -= 1
            raise ConnectionError("the database is away")
        now = SystemClock().now()
        free = [id_ for id_, due in self.due.items() if due and due <= now and id_ not in self.held][:limit]
        self.claims += 1
        for id_ in free:
            self.attempts[id_] = self.attempts.get(id_, 0) + 1
            self.held[id_] = f"token-{self.claims}"
        return [
            Claim(id=id_, token=self.held[id_], attempts=self.attempts[id_], wakes=0, load=nothing)
            for id_ in free
        ]

    async def renew(self, claims: Sequence[Claim[None]], seconds: float) -> set[tuple[str, str]]:
        assert seconds > 0
        held = {(claim.id, claim.token) for claim in claims if self.held.get(claim.id) == claim.token}
        self.renewed |= {id_ for id_, _ in held}
        return held

    async def release(
        self, claim: Claim[None], due_at: datetime | None, *, failed: bool
    ) -> datetime | None:
        if self.held.get(claim.id) == claim.token:
            del self.held[claim.id]
            self.due[claim.id] = due_at
        self.released.append((claim.id, failed))
        async with self.changed:
            self.changed.notify_all()
        return self.due[claim.id]

    async def next_due(self) -> datetime | None:
        return min((due for id_, due in self.due.items() if due and id_ not in self.held), default=None)

    async def clear(self) -> None:
        self.held.clear()

    async def until(self, releases: int) -> None:
        async with self.changed, asyncio.timeout(5):
            await self.changed.wait_for(lambda: len(self.released) >= releases)


@asynccontextmanager
async def running(
    shelf: Shelf, advance: Callable[[Lease[None]], Awaitable[datetime | None]]
) -> AsyncIterator[Engine]:
    engine = Engine([Kind(leases=shelf, advance=advance)], SystemClock(), Metrics())
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        await engine.stop(1)
        await task


async def test_everything_due_is_advanced_until_it_is_done() -> None:
    seen: list[str] = []

    async def advance(lease: Lease[None]) -> datetime | None:
        seen.append(lease.id)
        return None

    shelf = Shelf("a", "b", "c")
    async with running(shelf, advance):
        await shelf.until(3)
    assert sorted(seen) == ["a", "b", "c"]
    assert set(shelf.due.values()) == {None}


async def test_an_exception_is_retried_later_and_never_terminal() -> None:
    async def advance(lease: Lease[None]) -> datetime | None:
        if lease.claim.attempts == 1:
            raise RuntimeError("once")
        return None

    shelf = Shelf("a")
    async with running(shelf, advance):
        await shelf.until(2)
    assert shelf.released == [("a", True), ("a", False)]


async def test_a_database_that_is_away_for_a_while_is_tried_again() -> None:
    async def advance(_lease: Lease[None]) -> datetime | None:
        return None

    shelf = Shelf("a")
    shelf.broken = 1
    async with running(shelf, advance):
        await shelf.until(1)
    assert shelf.released == [("a", False)]


async def test_stopping_ends_a_wait_at_once_and_gives_the_thing_back_due() -> None:
    waiting = asyncio.Event()

    async def advance(lease: Lease[None]) -> datetime | None:
        waiting.set()
        await lease.sleep(3600)
        return None

    shelf = Shelf("a")
    async with running(shelf, advance):
        await waiting.wait()
    assert shelf.held == {}
    assert shelf.due["a"] is not None


async def test_a_step_that_does_not_end_in_time_is_cut_off_and_counts_as_failed() -> None:
    started = asyncio.Event()

    async def advance(_lease: Lease[None]) -> datetime | None:
        started.set()
        await asyncio.Event().wait()
        return None

    shelf = Shelf("a")
    engine = Engine([Kind(leases=shelf, advance=advance)], SystemClock(), Metrics())
    task = asyncio.create_task(engine.run())
    await started.wait()
    await engine.stop(0.01)
    await task
    assert shelf.released == [("a", True)]


async def test_a_run_without_its_lease_sends_nothing() -> None:
    lost: list[bool] = []

    async def advance(lease: Lease[None]) -> datetime | None:
        shelf.held["a"] = "somebody else"
        lease.good_until = 0
        try:
            await lease.ensure(10)
        except LeaseLostError:
            lost.append(True)
            raise
        return None

    shelf = Shelf("a")
    async with running(shelf, advance):
        await shelf.until(1)
    assert lost == [True]
    assert shelf.held["a"] == "somebody else"


async def test_a_lease_that_is_short_is_renewed_before_a_call() -> None:
    good: list[float] = []

    async def advance(lease: Lease[None]) -> datetime | None:
        before = lease.good_until
        lease.good_until = before - 10
        await lease.ensure(10)
        good.append(lease.good_until - before)
        return None

    shelf = Shelf("a")
    async with running(shelf, advance):
        await shelf.until(1)
    assert good[0] >= 0


async def test_all_that_was_claimed_together_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.engine.RENEW_EVERY_SECONDS", 0.05)
    shelf = Shelf("a", "b", "c")

    async def advance(lease: Lease[None]) -> datetime | None:
        while shelf.renewed < {"a", "b", "c"}:
            await lease.sleep(0.01)
        return None

    async with running(shelf, advance) as engine:
        await shelf.until(1)
        assert engine.in_flight <= 2
    assert shelf.renewed == {"a", "b", "c"}


async def test_a_wake_is_answered_without_waiting_for_the_next_look() -> None:
    async def advance(_lease: Lease[None]) -> datetime | None:
        return None

    shelf = Shelf()
    async with running(shelf, advance) as engine:
        await asyncio.sleep(0)
        shelf.due["late"] = SystemClock().now()
        engine.wake("thing")
        async with asyncio.timeout(1):
            await shelf.until(1)


async def test_a_thing_is_due_again_when_it_said_so() -> None:
    runs: list[datetime] = []

    async def advance(_lease: Lease[None]) -> datetime | None:
        runs.append(SystemClock().now())
        return runs[0] + timedelta(milliseconds=200) if len(runs) == 1 else None

    shelf = Shelf("a")
    async with running(shelf, advance):
        await shelf.until(2)
    assert runs[1] - runs[0] >= timedelta(milliseconds=200)


@pytest.mark.parametrize("count", [250])
async def test_more_things_than_one_claim_takes_are_all_advanced(count: int) -> None:
    async def advance(_lease: Lease[None]) -> datetime | None:
        return None

    shelf = Shelf(*(str(number) for number in range(count)))
    async with running(shelf, advance):
        await shelf.until(count)
    assert len({id_ for id_, _ in shelf.released}) == count


async def test_a_kind_that_is_full_keeps_no_other_waiting_and_the_engine_is_alive() -> None:
    ended = asyncio.Event()

    async def slow(_lease: Lease[None]) -> datetime | None:
        await ended.wait()
        return None

    async def quick(_lease: Lease[None]) -> datetime | None:
        return None

    many, one = Shelf("a", "b", "c", kind="many"), Shelf(kind="one")
    kinds = [
        Kind(leases=many, advance=slow),
        Kind(leases=one, advance=quick),
    ]
    engine = Engine(kinds, SystemClock(), Metrics(), concurrency=2)
    task = asyncio.create_task(engine.run())
    async with asyncio.timeout(5):
        while engine.in_flight < 2:
            await asyncio.sleep(0)
    beat = engine.beat_at
    one.due["late"] = SystemClock().now()
    engine.wake("one")
    await one.until(1)
    assert engine.in_flight == 2
    async with asyncio.timeout(5):
        while engine.beat_at == beat:
            await asyncio.sleep(0.01)
    ended.set()
    await many.until(3)
    await engine.stop(1)
    await task


async def test_a_run_that_lost_its_lease_counts_as_one_that_may_have_sent_something() -> None:
    async def advance(_lease: Lease[None]) -> datetime | None:
        raise LeaseLostError("slow renewal")

    shelf = Shelf("a")
    async with running(shelf, advance):
        await shelf.until(1)
    assert shelf.released[0] == ("a", True)


async def test_wakes_of_one_kind_do_not_delay_another() -> None:
    ran: list[float] = []
    loop = asyncio.get_running_loop()

    async def quiet(_lease: Lease[None]) -> datetime | None:
        ran.append(loop.time())
        return None

    async def busy(_lease: Lease[None]) -> datetime | None:
        return SystemClock().now()

    late, noise = Shelf("late", kind="quiet"), Shelf("noise", kind="busy")
    late.due["late"] = SystemClock().now() + timedelta(milliseconds=100)
    kinds = [
        Kind(leases=late, advance=quiet),
        Kind(leases=noise, advance=busy),
    ]
    engine = Engine(kinds, SystemClock(), Metrics())
    task = asyncio.create_task(engine.run())
    started = loop.time()
    await late.until(1)
    await engine.stop(1)
    await task
    assert ran[0] - started < 1


async def test_announcements_of_unknown_kinds_are_counted_and_stop_nothing() -> None:
    metrics = Metrics()
    shelf = Shelf()

    async def advance(lease: Lease[None]) -> None:
        shelf.due[lease.id] = None

    engine = Engine([Kind(leases=shelf, advance=advance)], SystemClock(), metrics)
    running = asyncio.create_task(engine.run())
    for _ in range(50):
        engine.wake("kind-of-tomorrow", "DROP")
        engine.wake()
    shelf.due["a"] = SystemClock().now()
    engine.wake("thing", "kind-of-tomorrow")
    await shelf.until(1)
    assert shelf.due["a"] is None
    await engine.stop(1)
    await running
    assert metrics.unknown_work._value.get() == 101
