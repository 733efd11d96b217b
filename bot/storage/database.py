"""The database: one place that knows SQLite from PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
from filelock import FileLock, Timeout
from sqlalchemy import ColumnElement, Float, String, Table, bindparam, func, make_url, select, true
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bot.domain.errors import StoreUnavailableError
from bot.storage.connection import PostgresqlEngine, SqliteEngine
from bot.storage.tables import Moment, pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy import URL

    from bot.domain.clock import Clock
    from bot.storage.connection import Connection

STATEMENT_SECONDS = 8.0
CHANNEL = "billing_bot_work"
_ANNOUNCED = "announced"
_OUR_MISTAKES = (IntegrityError, ProgrammingError, DataError)
_AWAY = (
    DBAPIError,
    DisconnectionError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
)


_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("notice", type_=String)))


class SecondProcessError(Exception):
    """Another process already works on this SQLite file."""


def async_url(database_url: str) -> URL:
    """Return the URL with the driver: `sqlite:///…`, `postgresql://…`.

    Raises:
        ValueError: another database, or not a URL.
    """
    try:
        url = make_url(database_url)
    except Exception as error:  # SQLAlchemy's own message may repeat the password
        raise ValueError("not a database URL") from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite")
        case "postgresql":
            # libpq's name, as managed databases hand it out; asyncpg's is shorter.
            query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
            return url.set(drivername="postgresql+asyncpg", query=query)
    raise ValueError("use sqlite:///file or postgresql://…")


class Database:
    """Connections and transactions. Never hold a transaction across a network call."""

    def __init__(
        self,
        database_url: str,
        clock: Clock,
        wake: Callable[..., None] = lambda *_kinds: None,
        *,
        works: bool = False,
        statement_seconds: float | None = STATEMENT_SECONDS,
    ) -> None:
        """Take the names of kinds of work that a transaction announced to `wake`, once it is committed.

        Other processes hear of them too, unless this one `works` on them itself.
        A statement that takes longer than `statement_seconds` counts as a database that is away.
        """
        self.url = async_url(database_url)
        self.clock = clock
        self.wake = wake
        self.process = secrets.token_hex(8)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._tells_others = not self.is_sqlite and not works
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self.engine: SqliteEngine | PostgresqlEngine = (
            SqliteEngine(self.url) if self.is_sqlite else PostgresqlEngine(self.url, statement_seconds)
        )
        self._lock = FileLock(f"{self.url.database}.lock") if self.is_sqlite else None

    def made(self) -> bool:
        """Tell whether there is a file to look into; always so on PostgreSQL, which has none of ours."""
        return not self.is_sqlite or Path(str(self.url.database)).exists()

    @property
    def folder(self) -> Path:
        """The folder of SQLite's file."""
        return Path(str(self.url.database)).absolute().parent

    def make_folder(self) -> None:
        """Make the folder of SQLite's file, if it is not there."""
        if self.is_sqlite:
            self.folder.mkdir(parents=True, exist_ok=True)

    def claim_alone(self) -> None:
        """On SQLite, make sure that no second process works on the same file; free on PostgreSQL.

        Raises:
            SecondProcessError: there is one. The operating system frees the lock when a process dies.
        """
        if self._lock is None:
            return
        self.make_folder()
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SecondProcessError(str(self.url.database)) from None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: committed on leaving, rolled back on an exception.

        What it announces is looked for at once when it is committed.

        Raises:
            StoreUnavailableError: no connection, lost, locked, full or read-only.
        """
        kinds: set[str] = set()
        with _away_said():
            async with self.engine.begin() as connection:
                connection.info[_ANNOUNCED] = kinds
                yield connection
        if kinds:
            self.wake(*kinds)
            if self._tells_others:
                self._tell_others(kinds)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Open a connection for questions; each sees what is committed when it is asked.

        Raises:
            StoreUnavailableError: as `transaction`.
        """
        with _away_said():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """Open a transaction for one statement: PostgreSQL is spared the two round trips around it.

        Raises:
            StoreUnavailableError: as `transaction`.
        """
        async with self.transaction() if self.is_sqlite else self.reading() as connection:
            yield connection

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the moment that decides leases: the server's own clock on PostgreSQL.

        On SQLite one process compares them with one another, and nobody sets the loop's clock.
        """
        if self.is_sqlite:
            return bindparam(None, callable_=self._loop_now, type_=Moment)
        return func.clock_timestamp(type_=Moment)

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that moment plus the seconds of `lease_facts`."""
        if self.is_sqlite:
            return bindparam("lease_end", type_=Moment)
        return func.clock_timestamp(type_=Moment) + func.make_interval(
            0, 0, 0, 0, 0, 0, bindparam("lease_seconds", type_=Float)
        )

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return what a statement with `lease_end` is executed with."""
        if self.is_sqlite:
            return {"lease_end": self._loop_now() + timedelta(seconds=seconds)}
        return {"lease_seconds": seconds}

    @staticmethod
    def _loop_now() -> datetime:
        return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)

    async def connect(self) -> None:
        """Make a connection and give it back; raises whatever the driver raises."""
        async with self.engine.connect():
            pass

    async def clock_ahead(self) -> timedelta:
        """Return by how much the database's clock is ahead of ours; nothing on SQLite, which has none."""
        if self.is_sqlite:
            return timedelta()
        async with self.engine.connect() as connection:
            before = self.clock.now()
            theirs: datetime | None = await connection.scalar(select(func.clock_timestamp(type_=Moment)))
            ours = before + (self.clock.now() - before) / 2
        return timedelta() if theirs is None else theirs - ours

    def turn(self, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Return a condition that waits until no other transaction holds this name, and then holds it.

        A statement with it sees what was there before it waited; those after it see what it waited for. On
        SQLite transactions take turns anyway.
        """
        if self.is_sqlite:
            return true()
        held: ColumnElement[Any] = func.pg_advisory_xact_lock(func.hashtextextended(name, 0))
        return held.is_not(None)

    def insert(self, table: Table) -> SqliteInsert | PostgresqlInsert:
        """Begin an insert that may say what to do on a conflict; each database has its own."""
        return sqlite_insert(table) if self.is_sqlite else postgresql_insert(table)

    async def ping(self) -> None:
        """Write a sign of life, since a database that is full or read-only answers every question.

        Raises whatever the driver raises.
        """
        beat = self.insert(pulse).values(id=1, at=self.clock.now())
        async with self.single() as connection:
            await connection.execute(
                beat.on_conflict_do_update(index_elements=[pulse.c.id], set_={"at": beat.excluded.at})
            )

    def _tell_others(self, kinds: set[str]) -> None:
        """Announce what is committed, after the commit: with it, PostgreSQL lets one at a time commit."""
        self._untold |= kinds
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        """Announce all that has gathered, until nothing has. Who misses it looks by themselves, later."""
        with suppress(StoreUnavailableError):
            while self._untold:
                notice = " ".join([self.process, *sorted(self._untold)])
                self._untold.clear()
                async with self.reading() as connection:
                    await connection.execute(_NOTIFY, {"notice": notice})

    async def aclose(self) -> None:
        """Close the connections and free the lock."""
        if self._telling is not None:
            await self._telling
        await self.engine.dispose()
        if self._lock is not None:
            self._lock.release()


def is_refused(error: Exception) -> bool:
    """Tell whether a connection fails for a reason that waiting does not mend: password, name, file."""
    state = str(getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or "")
    return state.startswith(("28", "3D")) or "sqlite" in str(type(getattr(error, "orig", None)))


def announce(connection: Connection, table: Table) -> None:
    """Have a table's due rows looked for at once when the transaction is committed."""
    connection.info[_ANNOUNCED].add(table.info["kind"])


@contextmanager
def _away_said() -> Iterator[None]:
    """Say in one way that a database is away, however its driver says it."""
    try:
        yield
    except _OUR_MISTAKES:
        raise
    except _AWAY as error:
        raise StoreUnavailableError(type(error).__name__) from error
