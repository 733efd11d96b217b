"""Random paths of balances: the app opens the episodes of the model, and sends one message about each."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import pytest_asyncio
from freezegun import freeze_time
from sqlalchemy import func, or_, select

from bot.app import Listener, open_app
from bot.domain.episode import Episode, Lines, Look, judge
from bot.domain.watch_views import AlertsForm
from bot.sandbox.portal import Fault
from bot.sandbox.portal.models import Organization
from bot.sandbox.portal.models import Person as Member
from bot.sandbox.slack.directory import Person
from bot.storage.tables import deliveries
from bot.storage.watch_tables import episodes, readings, watches
from tests.support.house import DIRECTORY, TEAM, identity, make_slack, open_house
from tests.support.postgresql import new_database
from tests.support.watching import alerts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bot.domain.episode import EpisodeKind
    from bot.domain.reading import Reading
    from tests.support.house import House

PROVING = bool(os.environ.get("PROVE"))
AT_ONCE = 50 if PROVING else 4 if os.environ.get("QUICK") else 10
"""How many paths there are in a house."""

HOUSES = {"sqlite": 160, "postgresql": 40} if PROVING else {"sqlite": 1, "postgresql": 1}
"""How many houses there are on each database: ten thousand paths where all are drawn."""

STEPS = 14
RESTARTS, MOST = 1 / 8, 0.8
"""How likely a restart is at each step, and for each balance that it is read now."""

LINES = Lines(low=Decimal(60), critical=Decimal(20))
NAMES = [f"path{number}" for number in range(AT_ONCE)]
Found: TypeAlias = "Counter[tuple[str, int, bool]]"
"""How many episodes there are of a kind, a worst level, and whether they are over."""


def user_of(name: str) -> str:
    return f"U0{name.upper()}"


@pytest_asyncio.fixture
async def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house with one organization for each path, and in each a person who watches its balance."""
    people = tuple(Person(id=user_of(name), name=name, real_name=name) for name in NAMES)
    general, *others = DIRECTORY.channels
    everybody = general.members | {each.id for each in people}
    directory = replace(
        DIRECTORY,
        people=(*DIRECTORY.people, *people),
        channels=(replace(general, members=everybody), *others),
    )
    changed: dict[str, Any] = {"slack": make_slack(directory), "watch_rate": Decimal(100_000)}
    async with AsyncExitStack() as stack:
        if request.param == "postgresql":
            server, template = map(request.getfixturevalue, ["postgresql_server", "postgresql_template"])
            changed["database_url"] = await stack.enter_async_context(new_database(server, template))
        house = await stack.enter_async_context(open_house(tmp_path, **changed))
        house.portal_clock.speed = 1
        for name in NAMES:
            await watched(house, name)
        yield house


async def watched(house: House, name: str) -> None:
    """Add an organization and connect a person of it, who watches its balance and gets the alerts."""
    account = f"did:{name}"
    house.portal.organizations[name] = Organization(
        slug=name, id=f"org_{name}", name=name, balance=Decimal("142.5")
    )
    house.portal.people[name] = Member(
        key=name, name=name, email=f"{name}@acme.example", account=account, organization=name, role="OWNER"
    )
    await house.link(user_of(name), name)
    form = AlertsForm(watches=True, tells=True, lines=LINES, quiet=None, digest=False)
    await house.app.runtime.watching.save(identity(user_of(name)), form, account_id=account)


@asynccontextmanager
async def beside(house: House) -> AsyncIterator[None]:
    """Two more workers on the same database; SQLite serves one process."""
    async with AsyncExitStack() as stack:
        for _ in range(0 if house.app.runtime.database.is_embedded else 2):
            await stack.enter_async_context(
                open_app(house.settings, listener=Listener.NONE, clock=house.clock)
            )
        yield


async def step(house: House, clock: Any, random: Random) -> None:
    """Let something happen to each balance, then let time pass, then have some people look."""
    visitors = [user_of(name) for name in NAMES if happens_to(house, name, random) == "visit"]
    if random.random() < RESTARTS:
        await house.stop()
        await house.start()
    await pass_time(house, clock, random.choice([4, 12, 61, 200]), random)
    before = {user: len(house.slack.ephemerals(user)) for user in visitors}
    for user in visitors:
        await house.slack.command(user, "/billing")
    await house.until(lambda: all(len(house.slack.ephemerals(user)) > before[user] for user in visitors))


def happens_to(house: House, name: str, random: Random) -> str:
    """Change a balance, or have the portal fail; return what happens."""
    organization = house.portal.organizations[name]
    what = random.choice(["falls", "falls", "falls", "rises", "vanishes", "error", "visit", "nothing"])
    match what:
        case "falls":
            organization.balance = max(Decimal(-2), organization.balance - random.choice([1, 15, 40]))
        case "rises":
            organization.balance += random.choice([5, 30, 100])
        case "vanishes":
            organization.balance = Decimal("0.01")
        case "error":
            house.portal.fail("/api/billing/state", Fault(status=503), times=1)
    return what


async def pass_time(house: House, clock: Any, minutes: float, random: Random) -> None:
    """Let so many minutes pass, have most balances read, and wait until all that is due is done."""
    clock.tick(timedelta(minutes=minutes))
    some = [f"org_{name}" for name in NAMES if random.random() < MOST]
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction, watches.c.organization_id.in_(some))
    await house.until_async(partial(is_quiet, house), seconds=60)


async def is_quiet(house: House) -> bool:
    """Tell whether no reading and no message is due or under way."""
    async with house.app.runtime.database.read() as connection:
        for row in (watches.c, deliveries.c):
            is_busy = or_(row.due_at <= house.clock.now(), row.lease_token.is_not(None))
            if await connection.scalar(select(func.count()).where(is_busy)):
                return False
    return True


def modeled(seen: Sequence[Sequence[Reading]]) -> Found:
    """The episodes that follow from what was seen at each reading."""
    opened: dict[EpisodeKind, Episode] = {}
    ended: Found = Counter()
    for known in seen:
        look = Look(readings=known, now=known[-1].at, lines=LINES)
        for kind, level in judge(look, opened).items():
            if level == 0:
                ended[kind.value, opened.pop(kind).level, True] += 1
            else:
                since = opened[kind].opened_at if kind in opened else look.now
                opened[kind] = Episode(kind=kind, level=level, opened_at=since)
    return ended + Counter((each.kind.value, each.level, False) for each in opened.values())


async def seen(house: House, watch_id: str) -> list[Sequence[Reading]]:
    """What there was to see at each reading."""
    store = house.app.runtime.watches.readings
    moments = select(readings.c.at).where(readings.c.watch_id == watch_id).order_by(readings.c.at)
    async with house.app.runtime.database.read() as connection:
        found = (await connection.execute(moments)).scalars().all()
        return [await store.until(connection, watch_id, at) for at in found]


async def stored(house: House, watch_id: str) -> Found:
    of_it = select(episodes).where(episodes.c.watch_id == watch_id)
    async with house.app.runtime.database.read() as connection:
        rows = (await connection.execute(of_it)).all()
    return Counter((row.kind, row.level, row.closed_at is not None) for row in rows)


@pytest.mark.parametrize(
    ("crowd", "seed"),
    [
        pytest.param(name, seed, marks=[pytest.mark.postgresql] if name == "postgresql" else [])
        for name, count in HOUSES.items()
        for seed in range(count)
    ],
    indirect=["crowd"],
)
async def test_the_episodes_are_those_of_the_model_and_each_is_told_once(crowd: House, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    with freeze_time(real_asyncio=True, tick=True) as clock:
        async with beside(crowd):
            for _ in range(STEPS):
                await step(crowd, clock, random)
            await pass_time(crowd, clock, 13, random)
        for name in NAMES:
            (watch,) = await crowd.app.runtime.watches.of_organization(TEAM, f"org_{name}")
            found = await stored(crowd, watch.id)
            assert found == modeled(await seen(crowd, watch.id))
            assert len(alerts(crowd, user_of(name))) == found.total()
