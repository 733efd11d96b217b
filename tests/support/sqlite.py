"""What the SQLite databases of a run share, as each test has its own: the schema, and compiled SQL."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine

from bot.storage import sqlite
from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.system_clock import SystemClock
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from sqlalchemy import Engine


def keep_compiled() -> None:
    """Have each engine use what another one has compiled: a quarter of a scenario's time."""
    first = create_engine("sqlite://")
    first.connect().close()  # a dialect learns at the first connection what its database can do
    compiled: dict[Any, Any] = {}

    def with_what_is_compiled(*arguments: Any, **options: Any) -> Engine:
        engine = create_engine(*arguments, **options)
        engine.dialect = first.dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    sqlite.create_engine = with_what_is_compiled  # type: ignore[attr-defined]


def new_ledger(path: Path) -> str:
    """Make a database with the newest schema; return its URL."""
    if not path.exists():
        shutil.copyfile(_migrated(), path)
    return f"sqlite:///{path}"


@cache
def _migrated() -> Path:
    path = Path(tempfile.mkdtemp(prefix="ledger-")) / "migrated.db"
    # In a thread: the first to ask is a test whose loop runs already.
    with ThreadPoolExecutor() as thread:
        thread.submit(asyncio.run, _migrate(path)).result()
    return path


async def _migrate(path: Path) -> None:
    database = Database(f"sqlite:///{path}", SystemClock())
    await migrate(database, CIPHER)
    await database.aclose()
