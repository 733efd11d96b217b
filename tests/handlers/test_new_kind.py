"""The recipe of docs/architecture.md for a new kind of durable work, done with reminders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from freezegun import freeze_time
from sqlalchemy import Column, String, Table, insert, select, update

from blocks.kit import message, section
from bot.domain.delivery import Delivery, Drawing
from bot.engine import Engine, LeaseLostError
from bot.storage.columns import Moment, lease_columns, metadata
from bot.storage.leases import LeaseStore
from bot.storage.tables import deliveries
from handlers.jobs.kinds import WORK, Work, kinds
from tests.support.house import ADA, House, identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from bot.domain.clock import Clock
    from bot.domain.identity import Identity
    from bot.engine import Lease
    from bot.runtime import Runtime
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore

import asyncio

import pytest

# 1. The value.


@dataclass(frozen=True, kw_only=True)
class Reminder:
    id: str
    person: Identity
    is_sent: bool = False


# 2. The table and the store.


@pytest.fixture
def reminders() -> Iterator[Table]:
    table = Table(
        "reminders",
        metadata,
        Column("id", String(32), primary_key=True),
        Column("user", String(32)),
        Column("state", String(16)),
        Column("created_at", Moment, nullable=False),
        *lease_columns(),
        info={"kind": "reminder", "keep_for": timedelta(days=7)},
    )
    yield table
    metadata.remove(table)


class ReminderStore:
    def __init__(self, database: Database, table: Table, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries
        self._database = database
        self._table = table
        self.leases = LeaseStore(database, table, self._loaders)

    async def _loaders(self, rows: Sequence[Row[Any]]) -> dict[str, Callable[[], Reminder]]:
        return {row.id: partial(self._reminder, row) for row in rows}

    def _reminder(self, row: Row[Any]) -> Reminder:
        return Reminder(id=row.id, person=identity(row.user), is_sent=row.state == "sent")

    async def add(self, reminder: Reminder, due_at: datetime) -> None:
        async with self._database.transaction() as transaction:
            values = {"id": reminder.id, "user": reminder.person.user, "state": "new"}
            times = {"created_at": transaction.now(), "due_at": due_at}
            await transaction.execute(insert(self._table).values(**values, **times))
            transaction.announce(self._table)

    async def get(self, reminder_id: str) -> Reminder:
        async with self._database.read() as connection:
            row = (await connection.execute(select(self._table).filter_by(id=reminder_id))).one()
        return self._reminder(row)

    async def save_sent(self, lease: Lease[Reminder], delivery: Delivery) -> None:
        row = self._table.c
        changed = update(self._table).where(row.id == lease.id, row.lease_token == lease.token)
        async with self._database.transaction() as transaction:
            if not (await transaction.execute(changed.values(state="sent"))).rowcount:
                raise LeaseLostError(lease.id)
            await self._deliveries.add(transaction, delivery)


# 3. The service.


class Reminding:
    def __init__(self, store: ReminderStore, clock: Clock) -> None:
        self.store = store
        self._clock = clock

    async def advance(self, lease: Lease[Reminder]) -> None:
        reminder = lease.load()
        if reminder.is_sent:
            return
        delivery = Delivery(
            id=reminder.id,
            subject_kind=self.store.leases.kind,
            subject_id=reminder.id,
            recipient=reminder.person,
            created_at=self._clock.now(),
        )
        await self.store.save_sent(lease, delivery)


# 4. The job.


async def advance_reminder(service: Reminding, _runtime: Runtime, lease: Lease[Reminder]) -> None:
    await service.advance(lease)


async def draw_reminder(service: Reminding, _runtime: Runtime, delivery: Delivery) -> Drawing:
    reminder = await service.store.get(delivery.subject_id)
    return Drawing(message=message(section(f"Reminder {reminder.id}: look at your balance.")).json)


# 5. The row.


def row_of(service: Reminding) -> Work:
    return Work(
        store=lambda _runtime: service.store,
        advance=partial(advance_reminder, service),
        draw=partial(draw_reminder, service),
    )


@pytest.fixture
async def worker(house: House, reminders: Table) -> AsyncIterator[ReminderStore]:
    """An engine whose table has one more row."""
    runtime = house.app.runtime
    async with runtime.database.transaction() as transaction:
        await transaction.run_sync(reminders.create)
    store = ReminderStore(runtime.database, reminders, runtime.deliveries)
    table = (*WORK, row_of(Reminding(store, runtime.clock)))
    engine = Engine(kinds(runtime, table), runtime.clock, runtime.metrics)
    await house.app.engine.stop(1)
    task = asyncio.create_task(engine.run())
    yield store
    await engine.stop(1)
    await task


async def test_a_new_kind_is_advanced_and_its_message_delivered_once(
    house: House, worker: ReminderStore
) -> None:
    await worker.add(Reminder(id="r1", person=identity(ADA)), house.app.runtime.clock.now())
    said = await house.told("Reminder r1: look at your balance.")
    assert said["metadata"] == {"event_type": "billing_reminder", "event_payload": {"reminder": "r1"}}
    await house.until_async(lambda: _is_sent(worker))
    assert len(house.dm()) == 1


async def test_a_new_kind_is_deleted_with_its_deliveries_after_the_time_its_table_names(
    house: House, worker: ReminderStore
) -> None:
    runtime = house.app.runtime
    await worker.add(Reminder(id="r1", person=identity(ADA)), runtime.clock.now())
    await house.told("Reminder r1: look at your balance.")
    await house.until_async(lambda: _rests(runtime))
    with freeze_time(runtime.clock.now() + timedelta(days=8), real_asyncio=True):
        await runtime.retention.forget()
    async with runtime.database.read() as connection:
        assert (await connection.execute(select(deliveries))).all() == []
        assert (await connection.execute(select(worker.leases.table))).all() == []


async def _rests(runtime: Runtime) -> bool:
    """Tell whether the message is delivered and its row is not due any more."""
    async with runtime.database.read() as connection:
        row = (await connection.execute(select(deliveries))).one()
    return row.drawn is not None and row.due_at is None


async def _is_sent(store: ReminderStore) -> bool:
    return (await store.get("r1")).is_sent


async def test_a_message_about_a_kind_of_a_later_release_is_left_to_that_release(house: House) -> None:
    runtime = house.app.runtime
    delivery = Delivery(
        id="x1",
        subject_kind="kind-of-tomorrow",
        subject_id="x1",
        recipient=identity(ADA),
        created_at=runtime.clock.now(),
    )
    async with runtime.database.transaction() as transaction:
        await runtime.deliveries.add(transaction, delivery)
    await house.until_async(lambda: _waits(runtime))
    assert house.dm() == []


async def _waits(runtime: Runtime) -> bool:
    """Tell whether a run has looked at the delivery and put it off."""
    async with runtime.database.read() as connection:
        row = (await connection.execute(select(deliveries))).one()
    return row.drawn is None and row.due_at is not None and row.due_at > runtime.clock.now()
