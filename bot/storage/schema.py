"""Migrates a database to the newest schema, and tells whether it has that schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import literal, select

from bot.storage.signatures import sign_under_way

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.storage.cipher import Cipher
    from bot.storage.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_SIGNS_FROM = "0007"
_MIGRATION_LOCK = "billing-bot migrations"


def alembic_config() -> Config:
    """Return alembic's configuration, built in code to avoid a second settings file."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(database: Database, cipher: Cipher) -> None:
    """Upgrade to the newest schema; a later release's schema is left unchanged.

    What a release before signatures has left under way is signed once. On PostgreSQL, processes that start
    together wait for one another.
    """
    async with database.transaction() as transaction:
        await transaction.execute(select(database.backend.advisory_lock(literal(_MIGRATION_LOCK))))
        before = await transaction.run_sync(_revision)
        await transaction.run_sync(_upgrade)
        if before is not None and before < _SIGNS_FROM:
            await sign_under_way(transaction, cipher)


async def is_current(database: Database) -> bool:
    """Tell whether the database has the newest schema or a later one, since later ones only add."""
    async with database.transaction() as connection:
        return await connection.run_sync(_is_current)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_current(connection: Connection) -> bool:
    revision = _revision(connection)
    return revision is not None and revision not in _older_revisions()


@cache
def _older_revisions() -> frozenset[str]:
    _, *older = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return frozenset(script.revision for script in older)


def _upgrade(connection: Connection) -> None:
    if _is_current(connection):
        return
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
