"""A ledger that has grown: history, the look for an equal charge, and a confirmation stay as quick."""

from __future__ import annotations

import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from sqlalchemy import text

from bot.domain.identity import Identity
from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.system_clock import SystemClock
from tests.benchmarks.engines import thing
from tests.benchmarks.table import RUNS, Row, ratio
from tests.support.ledger import Ledger
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from bot.domain.charge import Charge
    from tests.benchmarks.databases import Place

SIZES = (10_000, 1_000_000)
PEOPLE = 50
SMALL = PEOPLE * 20
IN_FLIGHT = 4_000
TIMES = 60
AMOUNTS = itertools.count(500)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ADA = Identity(enterprise="", team="T0ACME", user="U00001")

SERIES = {
    "sqlite": (
        "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        "SELECT i FROM n)"
    ),
    "postgresql": "(SELECT generate_series(1, {count}) AS i)",
}
ID = {"sqlite": "printf('%016x', i + {after})", "postgresql": "lpad(to_hex(i + {after}), 16, '0')"}
USER = {
    "sqlite": f"printf('U%05d', i % {PEOPLE})",
    "postgresql": f"'U' || lpad((i % {PEOPLE})::text, 5, '0')",
}


async def growth_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """A ledger that grows, beside one that stays small."""
    async with ledger(place, folder) as small, ledger(place, folder) as grown:
        size = SMALL
        for wanted in SIZES:
            await fill(grown, wanted - size, size)
            size = wanted
            await settle(grown)
            own, theirs = zip(*[await measured(grown, small) for _ in range(RUNS)], strict=True)
            for name in own[0]:
                yield ratio(
                    f"{name} in a ledger of {wanted:,}, {place.name}",
                    [each[name] for each in own],
                    [each[name] for each in theirs],
                    unit="ms",
                    peer=f"a ledger of {SMALL:,}",
                    at_most=1.2,
                )
        await fly(grown, size)
        own, theirs = zip(*[await measured(grown, small) for _ in range(RUNS)], strict=True)
        for name in ("equal charge", "confirm"):
            yield ratio(
                f"{name} beside {IN_FLIGHT:,} in flight, {place.name}",
                [each[name] for each in own],
                [each[name] for each in theirs],
                unit="ms",
                peer="none in flight",
                at_most=1.2,
            )


@asynccontextmanager
async def ledger(place: Place, folder: Path) -> AsyncIterator[Database]:
    """Make a small one."""
    async with place.database(folder) as url:
        database = Database(url, SystemClock(), statement_seconds=None)
        try:
            await migrate(database, CIPHER)
            await fill(database, SMALL, 0)
            yield database
        finally:
            await database.aclose()


async def fly(database: Database, after: int) -> None:
    """Put charges of other people into the ledger whose end is open and untold, since a moment ago."""
    await fill(database, IN_FLIGHT, after)
    ids = f"id BETWEEN '{after + 1:016x}' AND '{after + IN_FLIGHT:016x}'"
    async with database.transaction() as connection:
        for change in (
            "charges SET state = 'submitted', ended_at = NULL, owner = 'T0ACME:X' || id",
            "deliveries SET due_at = '2000-01-01 00:00:00+00'",
        ):
            await connection.execute(text(f"UPDATE {change} WHERE {ids}"))


async def settle(database: Database) -> None:
    """Have PostgreSQL do now what a filled table makes it do in the background for minutes."""
    if not database.is_embedded:
        async with database.read() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
            await connection.execute(text("CHECKPOINT"))


async def measured(*databases: Database) -> list[dict[str, float]]:
    """Return the milliseconds that each question takes in each: they take turns by the call."""
    asked = [questions(database) for database in databases]
    found: list[dict[str, float]] = [{} for _ in databases]
    for name in asked[0]:
        times = [[await timed(each[name]) for each in asked] for _ in range(TIMES)]
        for each, own in zip(found, zip(*times, strict=True), strict=True):
            each[name] = median(own)
    for database in databases:
        await put_back(database)
    return found


def questions(database: Database) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return what a person or the engine asks of a ledger, by name."""
    store = Ledger(database)
    now = database.clock.now()

    def proposed() -> Charge:
        return replace(thing(now), identity=ADA, amount=Decimal(next(AMOUNTS)) / 100)

    async def confirm() -> None:
        charge = proposed()
        await store.add(charge, due_at=now + timedelta(days=9))
        await store.confirm(charge.id, ADA, now=now, made_after=LONG_AGO, view_id=None)

    async def history() -> None:
        await store.of_owner(ADA.key, limit=20)

    async def equal() -> None:
        await store.open_equal(proposed())

    async def due() -> None:
        await store.leases.claim(10, 15)

    async def unfinished() -> None:
        await store.unfinished()

    return {
        "history": history,
        "equal charge": equal,
        "what is due": due,
        "meters": unfinished,
        "confirm": confirm,
    }


async def put_back(database: Database) -> None:
    """Let the next run begin as this one has."""
    async with database.transaction() as connection:
        for table, changes in (
            ("charges", "state = 'settled', due_at = NULL"),
            ("deliveries", "due_at = NULL"),
        ):
            await connection.execute(text(f"UPDATE {table} SET {changes} WHERE due_at > '2001-01-01'"))  # noqa: S608 - our own words


async def timed(ask: Callable[[], Awaitable[None]]) -> float:
    """Return how long one call takes, in milliseconds."""
    started = time.perf_counter()
    await ask()
    return (time.perf_counter() - started) * 1000


async def fill(database: Database, count: int, after: int) -> None:
    """Put settled charges of two hundred people into the ledger, made by the database itself."""
    kind = "sqlite" if database.is_embedded else "postgresql"
    series, name, user = (each[kind].format(count=count, after=after) for each in (SERIES, ID, USER))
    at = "'2025-01-01 00:00:00.000000'" if database.is_embedded else "timestamptz '2025-01-01 00:00:00+00'"
    columns = (
        'id, enterprise, team, "user", owner, kind, state, amount, idempotency_key, account_id,'
        "organisation_id, created_at, confirmed_at, ended_at, settled_amount"
    )
    values = (
        f"{name}, '', 'T0ACME', {user}, 'T0ACME:' || {user}, 'top_up', 'settled', '50.00', 'k' || {name},"
        f"'a', 'o', {at}, {at}, {at}, '50.00'"
    )
    posted = 'id, subject_kind, subject_id, enterprise, team, "user", owner, created_at, channel, ts'
    facts = f"{name}, 'charge', {name}, '', 'T0ACME', {user}, 'T0ACME:' || {user}, {at}, 'D', '1'"
    statements = (
        f"INSERT INTO charges ({columns}) SELECT {values} FROM {series} AS s",  # noqa: S608 - our own words
        f"INSERT INTO deliveries ({posted}) SELECT {facts} FROM {series} AS s",  # noqa: S608
    )
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    if not database.is_embedded:
        async with database.transaction() as connection:
            await connection.execute(text("ANALYZE"))
