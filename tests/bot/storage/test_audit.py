"""The audit log: only written to, and a chain that shows what was changed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.domain.audit import Action, AuditEntry, acting
from bot.domain.errors import StoreUnavailableError
from bot.storage.audit import GENESIS, AuditStore, digest_of

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock

ENTRY = AuditEntry(
    id=7,
    at=datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC),
    actor="T0ACME:U0ADA",
    action="charge",
    subject="c1",
    result="settled",
    origin="worker",
    facts='{"amount": "50.00"}',
)


async def note(audit: AuditStore, result: str) -> None:
    await audit.record(Action.CHARGE, actor="T0ACME:U0ADA", subject="c1", result=result, amount="50.00")


async def written(database: Database, *results: str) -> AuditStore:
    """A log with these entries, sealed."""
    audit = AuditStore(database)
    for result in results:
        await note(audit, result)
    await audit.seal()
    return audit


async def tamper(database: Database, *statements: str) -> None:
    """Change the log as somebody would who owns the database."""
    if database.is_embedded:
        # A connection of their own: foreign keys are only looked after where that is asked for.
        with closing(sqlite3.connect(str(database.url.database))) as other, other:
            for table in ("audit", "audit_seals"):
                for change in ("update", "delete"):
                    other.execute(f"DROP TRIGGER IF EXISTS {table}_refuses_{change}")
            for statement in statements:
                other.execute(statement)
        return
    async with database.transaction() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


async def test_written_entries_are_sealed_in_order_and_verify(database: Database) -> None:
    audit = await written(database, "confirmed", "submitted", "settled")
    seals = [seal async for seal in audit.sealed()]
    assert [(seal.number, seal.entry.result) for seal in seals] == [
        (1, "confirmed"),
        (2, "submitted"),
        (3, "settled"),
    ]
    found = await audit.verify()
    assert (found.sealed, found.head, found.waiting, found.broken) == (3, seals[-1].digest, 0, None)


async def test_an_empty_log_is_whole(database: Database) -> None:
    found = await AuditStore(database).verify()
    assert (found.sealed, found.head, found.broken) == (0, GENESIS, None)


async def test_an_entry_waits_for_its_seal_and_is_counted(database: Database) -> None:
    audit = await written(database, "confirmed")
    await note(audit, "submitted")
    assert (await audit.verify()).waiting == 1
    await audit.seal()
    assert (await audit.verify()).waiting == 0


async def test_an_entry_names_the_origin_of_the_action(database: Database) -> None:
    audit = AuditStore(database)
    with acting("slack command C0BILLING"):
        await note(audit, "confirmed")
    await note(audit, "settled")
    await audit.seal()
    origins = [seal.entry.origin async for seal in audit.sealed()]
    assert origins == ["slack command C0BILLING", "unknown"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET result = 'refused'",
        "DELETE FROM audit",
        "UPDATE audit_seals SET digest = ''",
        "DELETE FROM audit_seals",
    ],
)
async def test_the_database_refuses_to_change_an_entry(database: Database, statement: str) -> None:
    audit = await written(database, "confirmed")
    with pytest.raises((DBAPIError, StoreUnavailableError)):
        async with database.transaction() as connection:
            await connection.execute(text(statement))
    assert (await audit.verify()).broken is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET result = 'refused' WHERE id = 2", "entry 2 is not what was sealed"),
        ("UPDATE audit SET facts = '{}' WHERE id = 1", "entry 1 is not what was sealed"),
        ("UPDATE audit_seals SET digest = 'x' WHERE number = 3", "entry 3 is not what was sealed"),
        ("DELETE FROM audit WHERE id = 3", "entry 3 is not what was sealed"),
        ("DELETE FROM audit_seals WHERE number = 2", "entry 2 is missing"),
    ],
)
async def test_a_changed_entry_is_found(database: Database, statement: str, broken: str) -> None:
    audit = await written(database, "confirmed", "submitted", "settled")
    await tamper(database, statement)
    assert (await audit.verify()).broken == broken


async def test_an_entry_taken_out_with_its_seal_is_found(database: Database) -> None:
    audit = await written(database, "confirmed", "submitted", "settled")
    await tamper(database, "DELETE FROM audit_seals WHERE number = 2")
    await tamper(database, "DELETE FROM audit WHERE id = 2")
    assert (await audit.verify()).broken == "entry 2 is missing"


async def test_a_log_cut_short_is_found_by_a_head_that_was_noted_before(database: Database) -> None:
    audit = await written(database, "confirmed", "submitted", "settled")
    head = (await audit.verify()).head
    await tamper(database, "DELETE FROM audit_seals WHERE number = 3")
    await tamper(database, "DELETE FROM audit WHERE id = 3")
    assert (await audit.verify()).broken is None
    assert (await audit.verify(expected=head)).broken == "the expected head is not in the log"


async def test_an_earlier_head_is_still_good_when_the_log_has_grown(database: Database) -> None:
    audit = await written(database, "confirmed")
    head = (await audit.verify()).head
    await note(audit, "submitted")
    await audit.seal()
    assert (await audit.verify(expected=head)).broken is None


async def test_processes_that_seal_at_once_make_one_chain(database: Database) -> None:
    audit = AuditStore(database)
    for count in range(5):
        await asyncio.gather(*(note(audit, f"{count}-{each}") for each in range(4)))
        await asyncio.gather(*(audit.seal() for _ in range(4)))
    await audit.seal()
    found = await audit.verify()
    assert (found.sealed, found.waiting, found.broken) == (20, 0, None)


async def test_an_entry_far_behind_is_sealed_at_the_next_start(database: Database) -> None:
    audit = await written(database, "confirmed")
    await tamper(
        database, "UPDATE audit SET id = 50000 WHERE id = 1", "UPDATE audit_seals SET entry = 50000"
    )
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO audit (id, at, actor, action, subject, result, origin, facts) "
                "SELECT 7, at, actor, action, subject, result, origin, facts FROM audit"
            )
        )
    assert await audit.seal() is None
    assert await audit.seal(everything=True) is not None
    assert (await audit.verify()).waiting == 0


@pytest.mark.parametrize("hours", [-24, 24])
async def test_a_clock_that_jumps_keeps_no_entry_from_its_seal(
    database: Database, clock: HandClock, hours: int
) -> None:
    audit = await written(database, "confirmed")
    clock.advance(hours=hours)
    await note(audit, "while it was wrong")
    clock.advance(hours=-hours)
    await audit.seal()
    await note(audit, "afterwards")
    await audit.seal()
    found = await audit.verify()
    assert (found.sealed, found.waiting, found.broken) == (3, 0, None)


async def test_an_unreadable_entry_is_sealed_too(database: Database) -> None:
    audit = await written(database, "confirmed")
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO audit (id, at, actor, action, subject, result, origin, facts) "
                "SELECT 9, at, actor, action, subject, result, origin, 'not json' FROM audit"
            )
        )
    await audit.seal()
    assert (await audit.verify()).broken is None
    *_, last = [seal.entry.details async for seal in audit.sealed()]
    assert last == {"unreadable": "not json"}


async def test_entries_that_nobody_seals_are_found_and_do_not_break_the_log(
    database: Database, clock: HandClock
) -> None:
    audit = await written(database, "confirmed")
    await note(audit, "submitted")
    clock.advance(minutes=6)
    found = await audit.verify()
    assert (found.broken, found.late_since) == (None, clock.now() - timedelta(minutes=6))


@pytest.mark.parametrize("table", ["audit", "audit_seals"])
async def test_replacing_a_row_is_refused_as_changing_it_is(database: Database, table: str) -> None:
    audit = await written(database, "confirmed")
    how = "INSERT OR REPLACE INTO" if database.is_embedded else "INSERT INTO"
    with pytest.raises((DBAPIError, StoreUnavailableError)):
        async with database.transaction() as connection:
            await connection.execute(text(f"{how} {table} SELECT * FROM {table}"))  # noqa: S608
    assert (await audit.verify()).broken is None


async def test_a_part_of_the_audit_log_can_be_exported(database: Database, clock: HandClock) -> None:
    audit = await written(database, "confirmed")
    clock.advance(hours=1)
    await note(audit, "settled")
    await audit.seal()
    late = [seal.number async for seal in audit.sealed(since=clock.now())]
    early = [seal.number async for seal in audit.sealed(until=clock.now())]
    assert (early, late) == ([1], [2])


@given(
    name=st.sampled_from(["actor", "action", "subject", "result", "origin"]),
    value=st.text(max_size=20),
)
def test_whatever_is_changed_changes_the_digest(name: str, value: str) -> None:
    changed = replace(ENTRY, **{name: value})  # type: ignore[arg-type]
    assert (digest_of(GENESIS, changed) == digest_of(GENESIS, ENTRY)) == (changed == ENTRY)


@given(st.timedeltas(min_value=timedelta(days=-3000), max_value=timedelta(days=3000)))
def test_a_moment_later_or_earlier_changes_the_digest(later: timedelta) -> None:
    changed = replace(ENTRY, at=ENTRY.at + later)
    assert (digest_of(GENESIS, changed) == digest_of(GENESIS, ENTRY)) == (not later)
