"""What the worker does: charges in flight, purchases a second, how soon an end is told, at what cost."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from tests.benchmarks import load, processes
from tests.benchmarks.table import RUNS, Row, ratio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    import psutil

    from tests.benchmarks.databases import Place

    Candidate = Callable[[int], Awaitable[float]]

MOST = range(500, 10_001, 500)
FIRST_LOOK = {"SQLite": 4_000, "PostgreSQL": 4_000, "aiohttp": 5_000, "httpx": 500}
PATIENCE_IN_SECONDS = 8.0
SETTLE_IN_SECONDS = 4.0
WATCH_SECONDS = 4.5
SETTLE_SECONDS = 1.0
ENOUGH = 0.95
PATIENCE_SECONDS = 120
PURCHASES = 1_200
ENDS = 160
"""As many that a mean of waits at every phase is within a few hundredths of a second."""
GOING_ON = 400
"""Purchases that are begun and not ended; one more is begun for each that ends."""


def on_time(asked_at: dict[str, list[float]], count: int) -> float:
    """Return which share of the waits between two questions was within a tenth of two seconds.

    A charge that nobody asked about twice, in more than two such waits, was waited for in vain.
    """
    waits = [after - before for asked in asked_at.values() for before, after in pairwise(asked)]
    alone = count - sum(len(asked) > 1 for asked in asked_at.values())
    return sum(1.8 <= wait <= 2.2 for wait in waits) / (len(waits) + alone)


async def in_flight_rows(folder: Path, places: Sequence[Place]) -> AsyncIterator[Row]:
    """How many charges one process follows at the 2 s cadence, beside a plain loop."""

    def ours(place: Place) -> Candidate:
        async def run(count: int) -> float:
            async with processes.house(place, folder, going=count) as house:
                return await _watched(house.wire, count)

        return run

    def plain(transport: str) -> Candidate:
        async def run(count: int) -> float:
            async with (
                processes.wire() as wire,
                processes.started("tests.benchmarks.plain", str(wire), "poll", str(count), "60", transport),
            ):
                return await _watched(wire, count)

        return run

    candidates = {place.name: ours(place) for place in places} | {
        name: plain(name) for name in ("aiohttp", "httpx")
    }
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(RUNS):
        for name, candidate in candidates.items():
            near = max(MOST.start, int(found[name][0])) if found[name] else FIRST_LOOK[name]
            found[name].append(await most(candidate, near, higher=not found[name]))
    for place in places:
        own = found[place.name]
        what = f"charges in flight at the 2 s cadence, {place.name}"
        peer = "plain loop, the same client"
        yield ratio(what, own, found["aiohttp"], unit="charges", peer=peer, at_least=0.8)
        yield ratio(what, own, found["httpx"], unit="charges", peer="plain loop, httpx's own transport")
        yield ratio(what, own, [2_000], unit="charges", peer="wanted", at_least=1)


async def _watched(wire: int, count: int) -> float:
    """Return how well the cadence is kept once each charge was asked about, or had time to be."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_IN_SECONDS):
            while await processes.asked(wire) < count:
                await asyncio.sleep(0.2)  # to ask more often would be a load of its own
    await asyncio.sleep(SETTLE_IN_SECONDS)
    await processes.reset(wire)
    await asyncio.sleep(WATCH_SECONDS)
    return on_time((await processes.report(wire))["asked_at"], count)


async def most(candidate: Candidate, near: int, *, higher: bool) -> float:
    """Return the highest step at which the candidate keeps the cadence, looking from `near` on.

    The first run finds it; those that follow do not look `higher`, and confirm it or find a lower one.
    """
    if await candidate(near) >= ENOUGH:
        while higher and near + MOST.step in MOST and await candidate(near + MOST.step) >= ENOUGH:
            near += MOST.step
        return near
    while near > MOST.start and await candidate(near - MOST.step) < ENOUGH:
        near -= MOST.step
    return near - MOST.step


def sustained(told_at: Sequence[float]) -> float:
    """Return how many ends a second were told while others were begun at the same pace."""
    told = sorted(told_at)
    first, last = len(told) // 5, len(told) - GOING_ON - 1
    return (last - first) / (told[last] - told[first])


async def purchase_rows(folder: Path, place: Place, wanted: float) -> AsyncIterator[Row]:
    """Purchases begun and ended a second, and what each costs."""
    rates, plain_rates, costs = [], [], []
    for _ in range(RUNS):
        async with processes.house(
            place, folder, settle_seconds=SETTLE_SECONDS, proposals=PURCHASES
        ) as house:
            rate, cost = await buy_all(house, [house.process])
            rates.append(rate)
            costs.append(cost)
        async with processes.wire(SETTLE_SECONDS) as wire:
            arguments = (str(wire), "buy", str(PURCHASES), str(GOING_ON), "aiohttp")
            await processes.output_of("tests.benchmarks.plain", *arguments)
            plain_rates.append(sustained(list((await processes.report(wire))["told_at"].values())))
    what = f"purchases begun and ended a second, {place.name}"
    yield ratio(what, rates, plain_rates, unit="/s", peer="plain loop, no store")
    yield ratio(what, rates, [wanted], unit="/s", peer="wanted", at_least=1)
    calls = costs[-1]["calls"]
    for name, least in (("portal", 2), ("Slack", 4)):
        yield Row(
            what=f"{name} calls a purchase, {place.name}",
            ours=f"{calls[name]:.2f}",
            beside=f"{least} (the fewest: see below)",
            ratio=f"{calls[name] / least:.2f}×",
        )
    yield Row(
        what=f"CPU a purchase, {place.name}",
        ours=f"{median(cost['cpu_ms'] for cost in costs):.1f} ms",
        beside="",
    )


async def buy_all(
    house: processes.House, workers: list[psutil.Process], ports: Sequence[int] | None = None
) -> tuple[float, dict[str, Any]]:
    """Confirm the proposals, so many going on at a time, and wait until each end is told."""
    ports = ports or [house.port]
    gate = asyncio.Semaphore(GOING_ON)
    before = cpu_of(workers)
    started = time.time()
    requests = [load.pay_request(charge, user) for charge, user, _ in house.plan["ids"]]
    shares = [requests[number :: len(ports)] for number in range(len(ports))]
    sending = asyncio.gather(
        *(load.send(port, some, 32 // len(ports), gate) for port, some in zip(ports, shares, strict=True))
    )
    told = 0
    while told < len(requests):
        now_told = await processes.told(house.wire)
        for _ in range(now_told - told):
            gate.release()
        told = now_told
        await asyncio.sleep(0.05)
        if time.time() - started > PATIENCE_SECONDS:
            raise RuntimeError(f"only {told} of {len(requests)} were told")
    await sending
    found = await processes.report(house.wire)
    used = cpu_of(workers) - before
    made = len(requests)
    portal, slack = calls_of(found)
    return sustained(list(found["told_at"].values())), {
        "cpu_ms": 1000 * used / made,
        "calls": {"portal": portal / made, "Slack": slack / made},
    }


def calls_of(report: dict[str, Any]) -> tuple[int, int]:
    """Return how often the portal and Slack were asked; how an app begins with Slack is left out."""
    calls = report["calls"]
    slack = sum(times for name, times in calls.items() if "." in name and name != "auth.test")
    portal = sum(times for name, times in calls.items() if name.endswith("charge") or "/api/" in name)
    return portal, slack


def cpu_of(workers: Sequence[psutil.Process]) -> float:
    """Return the seconds of CPU that they have used so far."""
    return float(sum(sum(each.cpu_times()[:2]) for each in workers))


@asynccontextmanager
async def replicated(
    place: Place, folder: Path, replicas: int, *, settle_seconds: float, pace: dict[str, Any], **plan: Any
) -> AsyncIterator[tuple[processes.House, list[psutil.Process], list[int]]]:
    """Run so many replicas of the app beside one another; yield the first, all processes and all ports."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(
            processes.house(place, folder, settle_seconds=settle_seconds, **plan, **pace)
        )
        workers, ports = [house.process], [house.port]
        for _ in range(replicas - 1):
            more = processes.ours(house.wire, house.url, folder, fill=False, **pace)
            port, _, process = await stack.enter_async_context(more)
            workers.append(process)
            ports.append(port)
        yield house, workers, ports


async def latency_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """From the portal's settlement to Slack's receipt of the edit, beside half a poll interval."""
    for going in (1, 500, 2_000):
        waits = await settlements(folder, place, going)
        means = [sum(each) / len(each) for each in (waits[run::RUNS] for run in range(RUNS))]
        in_order = sorted(waits)
        p50, p99 = in_order[len(waits) // 2], in_order[int(len(waits) * 0.99)]
        what = f"settlement to the edit, {going:,} in flight, {place.name}"
        yield ratio(f"{what}: mean", means, [1.0], unit="s", peer="half an interval", at_most=1.1)
        yield ratio(f"{what}: p50", [p50], [1.0], unit="s", peer="half an interval")
        yield ratio(f"{what}: p99", [p99], [2.0], unit="s", peer="an interval", at_most=1.2)


async def settlements(folder: Path, place: Place, going: int) -> list[float]:
    """Buy at a walking pace while others are in flight; return the wait for each told end, as bought."""
    count = ENDS * RUNS
    async with processes.house(place, folder, settle_seconds=5.0, going=going, proposals=count) as house:
        await asyncio.sleep(3)
        for charge, user, _key in house.plan["ids"]:
            await load.send(house.port, [load.pay_request(charge, user)], 1)
            await asyncio.sleep(0.045)  # one after the other, so that their polls are at every phase
        # A report of everything would keep the constant servers from answering meanwhile.
        while await processes.told(house.wire) < count:
            await asyncio.sleep(0.5)
        told = await processes.report(house.wire)
    return [told["told_at"][charge] - told["settles_at"][key] for charge, _, key in house.plan["ids"]]


async def replica_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """Three replicas beside one: what a purchase costs must not grow."""
    costs: dict[int, list[float]] = {1: [], 3: []}
    rates: dict[int, list[float]] = {1: [], 3: []}
    for _ in range(RUNS):
        for replicas in (1, 3):
            async with replicated(
                place, folder, replicas, settle_seconds=SETTLE_SECONDS, pace={}, proposals=PURCHASES
            ) as (house, workers, ports):
                rate, cost = await buy_all(house, workers, ports)
                costs[replicas].append(cost["cpu_ms"])
                rates[replicas].append(rate)
    one = "1 replica"
    yield ratio("CPU a purchase, 3 replicas", costs[3], costs[1], unit="ms", peer=one, at_most=1.25)
    yield ratio("purchases a second, 3 replicas on 2 cores", rates[3], rates[1], unit="/s", peer=one)


async def write_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """Rows and bytes that a purchase writes."""
    count = PURCHASES
    async with processes.house(place, folder, settle_seconds=SETTLE_SECONDS, proposals=count) as house:
        await asyncio.sleep(3)
        before = await _written(house)
        await buy_all(house, [house.process])
        await asyncio.sleep(3)
        written = await _written(house) - before
    yield Row(
        what=f"bytes written a purchase, {place.name}",
        ours=f"{written / count / 1000:.1f} KB",
        beside="8 rows: a charge, a message, 3 audit entries and their seals",
    )


async def _written(house: processes.House) -> float:
    """Return what was written so far: to the write-ahead log on PostgreSQL, by the process on SQLite."""
    if house.url.startswith("sqlite"):
        return float(house.process.io_counters().write_bytes)
    connection = await asyncpg.connect(house.url)
    try:
        return float(await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))
    finally:
        await connection.close()
