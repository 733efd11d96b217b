"""The database itself: its address, its one process, its migrations."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from freezegun import freeze_time
from sqlalchemy import select, text

from bot.services.second_person import SECOND_PERSON
from bot.storage.columns import metadata
from bot.storage.connection import SecondProcessError
from bot.storage.database import Database, async_url
from bot.storage.links import LinkStore
from bot.storage.schema import is_current, migrate
from bot.storage.tables import deliveries
from tests.support.samples import ACCOUNT, ADA, CIPHER, GRACE, sample_link

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bot.conftest import HandClock


LINUS = replace(GRACE, user="U0LINUS")


def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path, clock: HandClock) -> None:
    first = Database(f"sqlite:///{tmp_path / 'one.db'}", clock)
    second = Database(f"sqlite:///{tmp_path / 'one.db'}", clock)
    first.backend.claim_alone()
    with pytest.raises(SecondProcessError):
        second.backend.claim_alone()


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", "sqlite://", "sqlite:///:memory:", ""])
def test_only_sqlite_files_and_postgresql_are_databases(url: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///file|not a database URL"):
        async_url(url)


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await migrate(database, CIPHER)
    assert await is_current(database)


async def test_processes_that_migrate_at_the_same_time_wait_for_one_another(database: Database) -> None:
    await asyncio.gather(*(migrate(database, CIPHER) for _ in range(4)))
    assert await is_current(database)


async def test_the_schema_of_a_later_release_will_do_and_is_left_alone(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert await is_current(database)
    await migrate(database, CIPHER)
    async with database.transaction() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


async def test_the_migrations_make_just_what_the_tables_say(database: Database) -> None:
    async with database.transaction() as connection:
        found = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert found == []


async def test_of_those_who_share_an_account_at_the_upgrade_the_first_goes_on_and_the_others_wait(
    database: Database, clock: HandClock
) -> None:
    store = LinkStore(database, CIPHER)
    for days, identity, changed in ((3, ADA, {}), (1, GRACE, {"account_id": "did:former"}), (2, LINUS, {})):
        account = replace(ACCOUNT, **changed)
        linked_at = clock.now() - timedelta(days=days)
        link = sample_link(clock, identity=identity, account=account, linked_at=linked_at)
        await store.put(replace(link, grant_id=identity.user))
    async with database.transaction() as connection:
        await connection.execute(text("DROP TABLE let_in"))
        await connection.execute(text("ALTER TABLE links DROP COLUMN waits_since"))
        await connection.execute(text("ALTER TABLE charges DROP COLUMN balance_after"))
        watching = ("watches", "watch_consents", "readings", "episodes", "snoozes")
        for table in (*watching, "votes", "policy_changes", "policies"):
            await connection.execute(text(f"DROP TABLE {table}"))
        await connection.execute(text("DROP INDEX ix_audit_policies"))
        await connection.execute(text("DROP TABLE requests"))
        await connection.execute(text("DROP TABLE away"))
        await connection.execute(text("DROP INDEX ix_links_organisation"))
        await connection.execute(text("ALTER TABLE links DROP COLUMN may_charge"))
        await connection.execute(text("DROP INDEX ix_charges_organisation_confirmed_at"))
        for column in ("request_id", "request_version", "channel"):
            await connection.execute(text(f"ALTER TABLE charges DROP COLUMN {column}"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
    with freeze_time(clock.now()):
        await migrate(database, CIPHER)
    found = {each.user: await store.get(each) for each in (ADA, GRACE, LINUS)}
    assert [user for user, link in found.items() if link and link.waits_since] == [GRACE.user, LINUS.user]
    async with database.read() as connection:
        told = await connection.execute(select(deliveries.c.subject_kind, deliveries.c.user))
        asked = sorted((kind, user) for kind, user in told if kind == SECOND_PERSON)
    assert asked == [(SECOND_PERSON, ADA.user), (SECOND_PERSON, ADA.user)]
