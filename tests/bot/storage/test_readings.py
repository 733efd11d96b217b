"""Which readings are looked at, and which of them are kept."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.reading import Reading, Reload, intervals
from bot.storage.readings import ReadingStore

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock

WATCH = "watch"
EVERY = timedelta(minutes=12)


async def read_for(database: Database, clock: HandClock, hours: float, **facts: object) -> ReadingStore:
    """Read a balance that falls by a dollar each time, for so many hours until now."""
    store, before = ReadingStore(database, days=35), None
    begins, balance = clock.now() - timedelta(hours=hours), Decimal(1_000)
    async with database.transaction() as transaction:
        while begins <= clock.now():
            reading = Reading(at=begins, balance=balance)._replace(**facts)  # type: ignore[arg-type]
            await store.add(transaction, WATCH, reading, after=before)
            before, begins, balance = reading, begins + EVERY, balance - 1
    return store


async def looked_at(database: Database, store: ReadingStore) -> list[Reading]:
    async with database.read() as connection:
        return await store.history(connection, WATCH)


async def test_of_more_than_three_hours_ago_the_first_of_each_hour_is_looked_at(
    database: Database, clock: HandClock
) -> None:
    found = await looked_at(database, await read_for(database, clock, 10))
    old = [each.at for each in found if each.at < clock.now() - timedelta(hours=3)]
    assert [at.minute for at in old] == [0] * 7
    assert len(found) == 7 + 16
    assert sum(each.used or 0 for each in intervals(found)) == 50


async def test_where_auto_reload_is_on_each_reading_is_looked_at(
    database: Database, clock: HandClock
) -> None:
    on = Reload(is_on=True, below=Decimal(20), up_to=Decimal(100))
    store = await read_for(database, clock, 10, sees_all=True, reload=on)
    assert len(await looked_at(database, store)) == 51


async def test_the_latest_are_looked_at_however_long_ago_they_were(
    database: Database, clock: HandClock
) -> None:
    store = await read_for(database, clock, 2, sees_all=True)
    clock.advance(hours=5)
    assert len(await looked_at(database, store)) == 10 + 1  # and the first of the hour before those


async def test_after_two_days_what_stands_for_no_hour_goes_and_nothing_looked_at_changes(
    database: Database, clock: HandClock
) -> None:
    store = await read_for(database, clock, 60)
    before = await looked_at(database, store)
    assert await store.thin() == 12 * 4
    assert await looked_at(database, store) == before


async def test_what_our_own_charge_has_added_is_never_lost(database: Database, clock: HandClock) -> None:
    store = await read_for(database, clock, 0)
    first = (await looked_at(database, store))[0]
    async with database.transaction() as transaction:
        paid = first._replace(at=first.at + EVERY, balance=first.balance + 49, credit=Decimal(50))
        await store.add(transaction, WATCH, paid, after=first)
        later = paid._replace(at=paid.at + timedelta(hours=1), balance=paid.balance - 1, credit=Decimal(0))
        await store.add(transaction, WATCH, later, after=paid)
    clock.advance(hours=50)
    assert await store.thin() == 0
    assert [each.used for each in intervals(await looked_at(database, store))] == [1, 1]
