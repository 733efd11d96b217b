"""Migrates a database to the newest schema, and tells whether it has that schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import literal, select

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bot.storage.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = "billing-bot migrations"


def alembic_config() -> Config:
    """Return alembic's configuration, built in code to avoid a second settings file."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(database: Database) -> None:
    """Upgrade to the newest schema; a later release's schema is left unchanged.

    On PostgreSQL, processes that start together wait for one another.
    """
    async with database.transaction() as connection:
        await connection.execute(select(database.backend.advisory_lock(literal(_MIGRATION_LOCK))))
        await connection.run_sync(_upgrade)


async def is_current(database: Database) -> bool:
    """Tell whether the database has the newest schema or a later one, since later ones only add."""
    async with database.transaction() as connection:
        return await connection.run_sync(_is_current)


def _is_current(connection: Connection) -> bool:
    revision = MigrationContext.configure(connection).get_current_revision()
    known = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    return revision is not None and revision not in known[1:]


def _upgrade(connection: Connection) -> None:
    if _is_current(connection):
        return
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
