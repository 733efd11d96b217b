"""Requests for funds: what one costs over a purchase, and its pages in a table that has grown."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from bot.domain.request import OrganizationKey
from bot.storage.database import Database
from bot.storage.requests.lists import RequestLists
from bot.storage.schema import migrate
from bot.storage.tables import audit_seals
from bot.system_clock import SystemClock
from tests.benchmarks.growth_rows import SERIES, settle, timed
from tests.benchmarks.table import RUNS, Row, ratio
from tests.support.asking import ask, card, connected, pay
from tests.support.house import ADA, GRACE, LINUS, open_house
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.databases import Place
    from tests.support.house import House

SMALL, GROWN = 1_000, 1_000_000
TIMES = 40
CARDS = 3
MOST_COMMITS = 3 + 3 * CARDS
ASKS = 10
"""A person may ask ten times a day."""
KEY = OrganizationKey(tenant="T0ACME", base_url="https://portal.example", organization_id="org_0")


@dataclass(kw_only=True)
class Cost:
    """What one thing took: commits, and seconds of CPU with both sandbox servers."""

    commits: int = 0
    cpu: float = 0.0


async def request_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """The cost of a request, the wait for its first card, and three pages in a million rows."""
    async with place.database(folder) as url, open_house(folder, database_url=url) as house:
        await connected(house)
        requests, purchases, waits = [], [], []
        for number in range(RUNS):
            purchases.append(await cost(house, lambda: _buy(house, str(31 + number))))  # noqa: B023
            requests.append(await cost(house, lambda: _ask_and_pay(house, str(61 + number))))  # noqa: B023
        for number in range(ASKS - RUNS):
            waits.append(await _first_card(house, str(111 + number)))
            await house.slack.click_text(LINUS, "Withdraw", in_="message")
            await house.until(lambda: "Withdrawn" in card(house, LINUS).text)
    if place.server is not None:  # SQLite does not say at once how many rows a statement has changed
        more = [one.commits - other.commits for one, other in zip(requests, purchases, strict=True)]
        yield ratio(
            f"commits of a request, paid, with three cards, beyond a purchase's, {place.name}",
            more,
            [MOST_COMMITS],
            unit="",
            peer="3, and 3 a card",
            at_most=1,
        )
    cpu = [each.cpu * 1000 for each in requests], [each.cpu * 1000 for each in purchases]
    yield ratio(f"CPU of the same, {place.name}", *cpu, unit="ms", peer="a purchase")
    last = quantiles(waits, n=20)[-1] * 1000
    yield ratio(
        f"from the form to the first card, p95, {place.name}",
        [last],
        [2000],
        unit="ms",
        peer="two seconds",
        below=2000,
    )
    async for row in _pages(folder, place):
        yield row


async def cost(house: House, act: Callable[[], Awaitable[None]]) -> Cost:
    """Let it happen, and count until nothing is going on any more."""
    spent, before = Cost(), time.process_time()
    with _counting(house.app.runtime.database, spent):
        await act()
        await house.until(lambda: house.app.engine.in_flight == 0)
    spent.cpu = time.process_time() - before
    return spent


class _Watched:
    """A connection that notes whether it has changed a row."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.has_changed = False

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        result = await self._connection.execute(statement, parameters)
        if getattr(statement, "is_dml", False) and result.rowcount and statement.table is not audit_seals:
            self.has_changed = True
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def _counting(database: Database, spent: Cost) -> Iterator[None]:
    """Count what is committed; a transaction that has changed nothing is none.

    The audit log is sealed once a second for everything together, which is left out.
    """
    begin, autocommit = database.backend.begin, database.backend.autocommit

    def counted(opened: Callable[[], Any]) -> Callable[[], Any]:
        @asynccontextmanager
        async def open_counted() -> AsyncIterator[Any]:
            async with opened() as connection:
                watched = _Watched(connection)
                yield watched
            spent.commits += watched.has_changed

        return open_counted

    database.backend.begin, database.backend.autocommit = counted(begin), counted(autocommit)  # type: ignore[method-assign]
    try:
        yield
    finally:
        database.backend.begin, database.backend.autocommit = begin, autocommit  # type: ignore[method-assign]


async def _buy(house: House, amount: str) -> None:
    if house.slack.view(ADA) is not None:
        await house.slack.close(ADA, everything=True)
    await house.buy(amount)
    await house.until(lambda: any(f"${amount} added to your" in each["text"] for each in house.dm(ADA)))


async def _ask_and_pay(house: House, amount: str) -> None:
    await ask(house, amount)
    for user in (ADA, GRACE):
        await house.until(lambda: f"asks for ${amount}*" in card(house, user).text)  # noqa: B023
    await pay(house, ADA)
    for user in (ADA, GRACE, LINUS):
        await house.until(lambda: f"${amount} added" in card(house, user).text)  # noqa: B023


async def _first_card(house: House, amount: str) -> float:
    await house.slack.command(LINUS, f"/billing request {amount} evals")
    await house.until(lambda: house.modal(LINUS).submit == f"Ask for ${amount}")
    started = time.perf_counter()
    await house.slack.submit(LINUS)
    await house.until(lambda: f"asks for ${amount}*" in card(house, ADA).text)
    return time.perf_counter() - started


async def _pages(folder: Path, place: Place) -> AsyncIterator[Row]:
    async with AsyncExitStack() as stack:
        small, grown = [
            await stack.enter_async_context(_table(place, folder, size)) for size in (SMALL, GROWN)
        ]
        asked = [questions(each) for each in (small, grown)]
        for name in asked[0]:
            times = [[await timed(each[name]) for each in asked] for _ in range(TIMES)]
            theirs, own = zip(*times, strict=True)
            yield ratio(
                f"{name} among {GROWN:,} requests, {place.name}",
                own,
                theirs,
                unit="ms",
                peer=f"among {SMALL:,}",
                at_most=1.2,
            )


@asynccontextmanager
async def _table(place: Place, folder: Path, count: int) -> AsyncIterator[Database]:
    """Make a table of ended requests: those of one person and organization are as many in each."""
    async with place.database(folder) as url:
        database = Database(url, SystemClock(), statement_seconds=None)
        try:
            await migrate(database, CIPHER)
            await _fill(database, count)
            await settle(database)
            yield database
        finally:
            await database.aclose()


def questions(database: Database) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return what people ask of it, by name."""
    lists = RequestLists(database)
    since = database.clock.now() - timedelta(days=30)

    async def own() -> None:
        await lists.of_owner("T0ACME:U0", limit=20)

    async def waiting() -> None:
        await lists.open_of(KEY, but="T0ACME:U0", limit=20)

    async def everything() -> None:
        await lists.of_all(KEY, since=since, limit=20)

    async def granted() -> None:
        await lists.granted("T0ACME:U0", KEY, since=since)

    return {
        "one's own requests": own,
        "what waits": waiting,
        "the organization's page": everything,
        "what was granted": granted,
    }


async def _fill(database: Database, count: int) -> None:
    kind = "sqlite" if database.is_embedded else "postgresql"
    series = SERIES[kind].format(count=count)
    # One organization and person in as many as there are hundreds: a hundred rows of each, at any size.
    of = f"(i % {count // 100})"
    name = "printf('%016x', i)" if database.is_embedded else "lpad(to_hex(i), 16, '0')"
    now = f"{database.clock.now():%Y-%m-%d %H:%M:%S.%f}"
    at = f"'{now}'" if database.is_embedded else f"timestamptz '{now}+00'"
    columns = (
        'id, enterprise, team, "user", owner, tenant, base_url, account_id, organisation_id, amount,'
        "reason, asked_at, expires_at, state, version, decided_at"
    )
    values = (
        f"{name}, '', 'T0ACME', 'U' || {of}, 'T0ACME:U' || {of}, 'T0ACME', '{KEY.base_url}', 'a',"
        f"'org_' || {of}, '50.00', 'r', {at}, {at}, 'done', 1, {at}"
    )
    statement = f"INSERT INTO requests ({columns}) SELECT {values} FROM {series} AS s"  # noqa: S608 - our own words
    async with database.transaction() as connection:
        await connection.execute(text(statement))
