"""The model of docs/scaling.md: all of it costs what purchases, readings and idle seconds cost apart."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from tests.benchmarks import processes
from tests.benchmarks.table import Row
from tests.benchmarks.worker_rows import SETTLE_SECONDS, buy_all, calls_of, cpu_of, replicated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.benchmarks.databases import Place

READ_A_SECOND = 20
SOONEST_SECONDS = 1.0
"""One organization is read no more often than that, so a few have fewer readings a second together."""

EARLY = 0.95
"""The mean of how early a reading comes: up to a tenth of its wait."""

PURCHASES = 400
WARM_SECONDS, WATCH_SECONDS = 6, 15
FLUSH_SECONDS = 2
"""How long PostgreSQL's backends may keep their counters to themselves."""

MIXES = ((1, 1), (1, 100), (1, 1_000), (1, 10_000), (2, 1_000), (3, 1_000))
"""Replicas, and workspaces whose balance is watched while people buy."""

OFF_BY = 1.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What was used: seconds of CPU of the app, transactions and rows of the database, calls."""

    cpu: float = 0.0
    commits: float = 0.0
    rows: float = 0.0
    portal: float = 0.0
    slack: float = 0.0

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        """Return the sum with another, so many times."""
        names = [each.name for each in fields(self)]
        return Cost(**{name: getattr(self, name) + times * getattr(other, name) for name in names})


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One run: its cost, how long it took, and how many readings it made."""

    cost: Cost
    seconds: float
    readings: float


async def model_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """What each thing costs apart, and how near the sum is to what all of it costs together."""
    idle = await measured(folder, place)
    a_second = Cost().plus(idle.cost, 1 / idle.seconds)
    bought = await measured(folder, place, purchases=PURCHASES)
    a_purchase = _without(bought, a_second, 1 / PURCHASES)
    read = await measured(folder, place, watches=100)
    a_reading = _without(read, a_second, 1 / read.readings)
    beside = await measured(folder, place, replicas=2, purchases=PURCHASES)
    # Each process hears of the work, and looks; and each gathers less of it at a time.
    a_replica = _without(beside, Cost().plus(a_second, 2), 1 / PURCHASES).plus(a_purchase, -1)
    for name, each in (
        ("an idle second", a_second),
        ("a purchase", a_purchase),
        ("each other replica, a purchase,", a_replica),
        ("a reading", a_reading),
    ):
        yield Row(what=f"{name} costs, {place.name}", ours=_said(each), beside="")
    for replicas, watches in MIXES:
        found = await measured(folder, place, replicas=replicas, watches=watches, purchases=PURCHASES)
        readings = found.seconds / EARLY / _pace(watches)
        expected = (
            Cost()
            .plus(a_second, replicas * found.seconds)
            .plus(a_purchase, PURCHASES)
            .plus(a_replica, PURCHASES * (replicas - 1))
            .plus(a_reading, readings)
        )
        for part in fields(Cost):
            own, model = getattr(found.cost, part.name), getattr(expected, part.name)
            share = own / model
            yield Row(
                what=f"{part.name}, {replicas} replicas, {watches:,} workspaces, {place.name}",
                ours=f"{own:,.4g}",
                beside=f"{model:,.4g} (the model)",
                ratio=f"{share:.2f}×",
                aim="0.8 to 1.25×",
                met=1 / OFF_BY <= share <= OFF_BY,
            )


async def measured(
    folder: Path, place: Place, *, replicas: int = 1, watches: int = 0, purchases: int = 0
) -> Measured:
    """Let people buy and balances be read; return what it took of all the processes together."""
    plan: dict[str, Any] = {"proposals": purchases, "watches": watches, "past": 10, "token_seconds": 86_400}
    pace = {"minutes": watches * _pace(watches) / 60} if watches else {}
    async with replicated(place, folder, replicas, settle_seconds=SETTLE_SECONDS, pace=pace, **plan) as (
        house,
        workers,
        ports,
    ):
        await asyncio.sleep(WARM_SECONDS)
        await processes.reset(house.wire)
        before, cpu = await _counted(house.url), cpu_of(workers)
        started = time.perf_counter()
        if purchases:
            await buy_all(house, workers, ports)
        else:
            await asyncio.sleep(WATCH_SECONDS)
        seconds, used = time.perf_counter() - started, cpu_of(workers) - cpu
        report = await processes.report(house.wire)
        await asyncio.sleep(FLUSH_SECONDS)
        after = await _counted(house.url)
    portal, slack = calls_of(report)
    # What the wait for the counters has committed is as much as before, a second.
    share = seconds / (seconds + FLUSH_SECONDS) if not purchases else 1.0
    commits, rows = ((one - other) * share for one, other in zip(after, before, strict=True))
    return Measured(
        cost=Cost(cpu=used, commits=commits, rows=rows, portal=portal, slack=slack),
        seconds=seconds,
        readings=report["calls"].get("/api/billing/state", 0),
    )


def _pace(watches: int) -> float:
    """Return after how many seconds the next of all the organizations is read."""
    return max(1 / READ_A_SECOND, SOONEST_SECONDS / watches)


def _without(found: Measured, a_second: Cost, share: float) -> Cost:
    return Cost().plus(found.cost.plus(a_second, -found.seconds), share)


async def _counted(url: str) -> tuple[int, int]:
    """Return the transactions and the written rows of the database so far."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            "SELECT xact_commit, tup_inserted + tup_updated FROM pg_stat_database "
            "WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    return int(row[0]), int(row[1])


def _said(cost: Cost) -> str:
    return (
        f"{cost.cpu * 1000:.2f} ms of CPU, {cost.commits:.1f} transactions, {cost.rows:.1f} rows written, "
        f"{cost.portal:.2f} portal calls, {cost.slack:.2f} Slack calls"
    )
