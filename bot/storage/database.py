"""The database: one place that knows SQLite from PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from sqlalchemy import ColumnElement, func, literal, make_url, text
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bot.storage.tables import Moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sqlalchemy import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from bot.domain.clock import Clock

BUSY_TIMEOUT_MS = 5_000


class SecondProcessError(Exception):
    """Another process already works on this SQLite file."""


def async_url(database_url: str) -> URL:
    """Return the URL with the asynchronous driver: `sqlite:///…`, `postgresql://…`.

    Raises:
        ValueError: another database, or not a URL.
    """
    try:
        url = make_url(database_url)
    except Exception as error:  # SQLAlchemy's own message may repeat the password
        raise ValueError("not a database URL") from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql":
            return url.set(drivername="postgresql+asyncpg")
    raise ValueError("use sqlite:///file or postgresql://…")


class Database:
    """Connections and transactions. On SQLite one connection serves the whole process.

    With a single connection writes never wait for one another's locks; never hold a transaction across
    a network call.
    """

    def __init__(self, database_url: str, clock: Clock) -> None:
        self.url = async_url(database_url)
        self.clock = clock
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = (
            {"pool_size": 1, "max_overflow": 0}
            if self.is_sqlite
            else {"pool_size": 10, "max_overflow": 10, "pool_pre_ping": True}
        )
        self.engine = create_async_engine(self.url, hide_parameters=True, **options)
        if self.is_sqlite:
            sqlalchemy_event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
        self._lock = FileLock(f"{self.url.database}.lock") if self.is_sqlite else None

    def claim_alone(self) -> None:
        """On SQLite, make sure that no second process works on the same file; free on PostgreSQL.

        Raises:
            SecondProcessError: there is one. The operating system frees the lock when a process dies.
        """
        if self._lock is None:
            return
        Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SecondProcessError(str(self.url.database)) from None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: committed on leaving, rolled back on an exception."""
        async with self.engine.begin() as connection:
            yield connection

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the moment that decides leases: the server's own clock on PostgreSQL."""
        if self.is_sqlite:
            return literal(self.clock.now(), Moment)
        return func.clock_timestamp(type_=Moment)

    def lease_until(self, seconds: float) -> ColumnElement[datetime]:
        """Return that moment plus `seconds`."""
        if self.is_sqlite:
            return literal(self.clock.now() + timedelta(seconds=seconds), Moment)
        return func.clock_timestamp(type_=Moment) + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

    async def ping(self) -> None:
        """Ask the database for a sign of life; raises whatever the driver raises."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Close the connections and free the lock."""
        await self.engine.dispose()
        if self._lock is not None:
            self._lock.release()


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
