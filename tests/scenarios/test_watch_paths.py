"""Random paths of a balance, read by the app: the episodes are those of the model, each told once."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from bot.app import Listener, open_app
from bot.domain.episode import Episode, Lines, Look, judge
from bot.sandbox.portal import Fault
from bot.storage.watch_tables import episodes
from bot.storage.watch_tables import readings as read_table
from tests.support.asking import connected
from tests.support.house import ADA, LINUS
from tests.support.steps import ask as typed
from tests.support.watching import alerts, read, the_watch, watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bot.app import BillingApp
    from bot.domain.episode import EpisodeKind
    from bot.domain.reading import Reading
    from tests.support.house import House

STEPS = 14
LINES = {"alerts_low": "60", "alerts_critical": "20"}


async def step(house: House, others: Sequence[BillingApp], clock: Any, random: Random) -> None:
    """Let something happen to the balance, or to whoever looks."""
    organization = house.portal.organizations["acme"]
    minutes = random.choice([4, 12, 61, 200])
    match random.choice(["falls", "falls", "falls", "rises", "vanishes", "error", "visit", "restart"]):
        case "falls":
            organization.balance = max(Decimal(-2), organization.balance - random.choice([1, 15, 40]))
        case "rises":
            organization.balance += random.choice([5, 30, 100])
        case "vanishes":
            organization.balance = Decimal("0.01")
        case "error":
            house.portal.fail("/api/billing/state", Fault(status=503), times=1)
        case "visit":
            clock.tick(timedelta(minutes=minutes))
            await typed(house, "/billing", user=LINUS)
            return
        case _:
            await house.stop()
            await house.start()
    await looks(house, others, clock, minutes)


async def looks(house: House, others: Sequence[BillingApp], clock: Any, minutes: float) -> None:
    """Have the balance asked for after so many minutes, whatever the answer is."""
    before = asked(house, others)
    clock.tick(timedelta(minutes=minutes))
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)
    await house.until(lambda: asked(house, others) > before)


def asked(house: House, others: Sequence[BillingApp]) -> float:
    """How often the processes have tried to read a balance."""
    metrics = [app.runtime.metrics for app in (house.app, *others)]
    counters = [counter for each in metrics for counter in each.watch_reads.collect()]
    return sum(each.value for one in counters for each in one.samples if each.name.endswith("_total"))


@asynccontextmanager
async def beside(house: House) -> AsyncIterator[Sequence[BillingApp]]:
    """Two more workers on the same database; SQLite serves one process."""
    async with AsyncExitStack() as stack:
        workers = 0 if house.app.runtime.database.is_embedded else 2
        yield [
            await stack.enter_async_context(
                open_app(house.settings, listener=Listener.NONE, clock=house.clock)
            )
            for _ in range(workers)
        ]


def modeled(seen: Sequence[Sequence[Reading]]) -> Counter[tuple[str, int, bool]]:
    """The episodes that follow from what was seen at each reading: kind, worst level, and if it is over."""
    opened: dict[EpisodeKind, Episode] = {}
    ended: Counter[tuple[str, int, bool]] = Counter()
    lines = Lines(low=Decimal(60), critical=Decimal(20))
    for readings in seen:
        look = Look(readings=readings, now=readings[-1].at, lines=lines)
        for kind, level in judge(look, opened).items():
            if level == 0:
                ended[kind.value, opened.pop(kind).level, True] += 1
            else:
                since = opened[kind].opened_at if kind in opened else look.now
                opened[kind] = Episode(kind=kind, level=level, opened_at=since)
    return ended + Counter((each.kind.value, each.level, False) for each in opened.values())


async def seen(house: House) -> list[Sequence[Reading]]:
    """What there was to see at each reading."""
    watch, store = await the_watch(house), house.app.runtime.watches.readings
    async with house.app.runtime.database.read() as connection:
        moments = await connection.execute(select(read_table.c.at).order_by(read_table.c.at))
        return [await store.until(connection, watch.id, at) for at in moments.scalars().all()]


async def stored(house: House) -> Counter[tuple[str, int, bool]]:
    async with house.app.runtime.database.read() as connection:
        rows = (await connection.execute(select(episodes))).all()
    return Counter((row.kind, row.level, row.closed_at is not None) for row in rows)


@pytest.mark.parametrize("seed", range(60 if os.environ.get("PROVE") else 3))
async def test_the_episodes_are_those_of_the_model_and_each_is_told_once(house: House, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    async with AsyncExitStack() as stack:
        clock = stack.enter_context(freeze_time(real_asyncio=True, tick=True))
        await connected(house)
        others = await stack.enter_async_context(beside(house))
        await watches(house, lines=LINES)
        await read(house)
        for _ in range(STEPS):
            await step(house, others, clock, random)
        await looks(house, others, clock, 13)
        found = await stored(house)
        assert found == modeled(await seen(house))
        await house.until(lambda: len(alerts(house, ADA)) == found.total())
