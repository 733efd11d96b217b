"""Watched organizations: what a reading costs with few and with many of them, and how late an alert is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from statistics import mean
from typing import TYPE_CHECKING, Any

from freezegun import freeze_time
from sqlalchemy import select

from bot.domain.episode import EpisodeKind
from bot.storage.watch_tables import episodes
from bot.storage.watch_tables import watches as watch_table
from tests.benchmarks.processes import house, report, reset
from tests.benchmarks.table import RUNS, Row, ratio
from tests.support.asking import connected
from tests.support.house import open_house
from tests.support.watching import the_watch, watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from tests.benchmarks.databases import Place
    from tests.support.house import House

READ_A_SECOND = 40
"""How many readings a second are measured, whatever the number of organizations: time is compressed."""

WARM_SECONDS, MEASURED_SECONDS = 12, 8
PAST, SHORT_PAST = 408, 10
"""Readings of nine days at a pace of 12 minutes, thinned; and fewer, where there are many organizations."""

PACE = timedelta(minutes=12)
A_DAY, NO_TIME = timedelta(days=1), timedelta(0)
HIGH, LOW = Decimal(30), Decimal(15)
"""A balance above and below the usual line; neither has fallen so far that it is read again first."""

FALLS = 0.3
"""How likely it is that the balance falls before the next reading."""

GOLDEN = (5**0.5 - 1) / 2
"""The balance falls at each part of the wait between two readings equally often, in steps of this part."""

DAYS = {"60 minutes": 60, "12 minutes": 12, "3 minutes": 3}
CALLS = {"60 minutes": 48, "12 minutes": 180, "3 minutes": 576}


async def watch_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """The cost of a reading, and how often a day asks and how late it tells."""
    few = await cost_of_reading(folder, place, 100, SHORT_PAST)
    for count in (1_000, 10_000):
        many = await cost_of_reading(folder, place, count, SHORT_PAST)
        yield ratio(
            f"CPU of a reading, of {count:,} organizations watched, {place.name}",
            [each * 1000 for each in many],
            [each * 1000 for each in few],
            unit="ms",
            peer="of 100",
            at_most=1.2,
        )
    plain = await cost_of_reading(folder, place, 1_000, PAST)
    fresh = await cost_of_reading(folder, place, 1_000, PAST, refreshes=True)
    # At 12 minutes every second reading needs a new token.
    a_reading = [(one + other) / 2 for one, other in zip(plain, fresh, strict=True)]
    yield ratio(
        f"of one core, 1,000 organizations at 12 minutes with nine days of readings, {place.name}",
        [each * 1_000 / PACE.total_seconds() * 100 for each in a_reading],
        [1],
        unit="%",
        peer="one percent",
        below=1,
    )
    for name, minutes in DAYS.items():
        calls, late = await a_day(folder, place, minutes)
        yield ratio(
            f"portal calls in a day, read every {name}, {place.name}",
            [calls],
            [CALLS[name]],
            unit="",
            peer="what it may be, ± 10 %",
            at_most=1.1,
        )
        yield ratio(
            f"from a low balance to its alert, mean, read every {name}, {place.name}",
            [mean(late)],
            [minutes * 30],
            unit="s",
            peer="half the pace",
            below=minutes * 30 + 2,
        )
        yield ratio(
            f"the same, longest, {place.name}",
            [max(late)],
            [minutes * 60],
            unit="s",
            peer="the pace",
            below=minutes * 60 + 60,
        )


async def cost_of_reading(
    folder: Path, place: Place, count: int, past: int, *, refreshes: bool = False
) -> list[float]:
    """Return the app's seconds of CPU for a reading; with `refreshes`, with a new token each time."""
    minutes = count / READ_A_SECOND / 60
    plan = {
        "listen": False,
        "watches": count,
        "past": past,
        "minutes": minutes,
        "token_seconds": 0 if refreshes else 86_400,
    }
    found = []
    async with house(place, folder, **plan) as running:
        await asyncio.sleep(WARM_SECONDS)
        for _ in range(RUNS):
            await reset(running.wire)
            before = running.process.cpu_times()
            await asyncio.sleep(MEASURED_SECONDS)
            after = running.process.cpu_times()
            read = (await report(running.wire))["calls"]["/api/billing/state"]
            found.append((after.user + after.system - before.user - before.system) / read)
    return found


async def a_day(folder: Path, place: Place, minutes: int) -> tuple[int, list[float]]:
    """Let a day pass at this pace; return the portal calls of watching, and how late alerts were (seconds).

    The app and the portal are real, and the clock is moved to the moment of each reading.
    """
    random, late = Random(minutes), []  # noqa: S311 - to be repeated, not to be secret
    pace: dict[str, Any] = {"watch_min_minutes": Decimal(minutes), "watch_max_minutes": Decimal(minutes)}
    async with place.database(folder) as url, open_house(folder, database_url=url, **pace) as running:
        running.portal_clock.speed = 1  # tokens live as long as at the live portal
        with freeze_time(real_asyncio=True, tick=True) as clock:
            await connected(running)
            await watches(running)
            await running.until_async(lambda: _was_read_after(running, None))
            begins, asked = running.app.runtime.clock.now(), len(running.portal.requests)
            part = 0.5
            while (now := running.app.runtime.clock.now()) < begins + A_DAY:
                until_next = max(await _due_at(running) - now, NO_TIME)
                falls = await _low_since(running) is None and random.random() < FALLS
                if falls:
                    part = (part + GOLDEN) % 1
                fell_at = now + part * until_next
                running.portal.organizations["acme"].balance = LOW if falls else HIGH
                # To tick would lose the time that has passed since the last tick.
                clock.move_to(now + until_next + timedelta(milliseconds=1))
                running.app.engine.wake("watch")
                await running.until_async(partial(_was_read_after, running, now))
                opened_at = await _low_since(running)
                if falls and opened_at is not None:
                    late.append((opened_at - fell_at).total_seconds())
            return len(running.portal.requests) - asked, late


async def _was_read_after(running: House, moment: datetime | None) -> bool:
    read_at = (await the_watch(running)).read_at
    return read_at is not None and (moment is None or read_at > moment)


async def _due_at(running: House) -> datetime:
    async with running.app.runtime.database.read() as connection:
        found: datetime = await connection.scalar(select(watch_table.c.due_at))
    return found


async def _low_since(running: House) -> datetime | None:
    """Return since when the balance is known to be low; None if it is not."""
    row = episodes.c
    query = select(row.opened_at).where(row.kind == EpisodeKind.LOW.value, row.closed_at.is_(None))
    async with running.app.runtime.database.read() as connection:
        found: datetime | None = await connection.scalar(query)
    return found
