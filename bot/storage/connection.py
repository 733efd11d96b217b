"""The two engines, and the connection that the stores speak to, which is the same from both."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from sqlalchemy import CursorResult, create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    import sqlalchemy
    from sqlalchemy import URL, Dialect, Executable
    from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_SESSION = {
    "application_name": "billing-bot",
    # A paused process must not keep rows locked for longer than its lease, and a refresh takes ten seconds.
    "idle_in_transaction_session_timeout": "12s",
    "lock_timeout": "7s",
}
# That timeout does not see one that was paused between a statement's preparation and its execution: to the
# server it is active. This one does, from PostgreSQL 17 on; a refresh and its waits stay far below.
_END_TRANSACTIONS = """
    SELECT set_config(name, '25s', false) FROM pg_settings WHERE name = 'transaction_timeout'
"""
_USED_AT = "used_at"
CONNECTIONS = 20
POOL_SECONDS = 5
IDLE_SECONDS = 1.0
BUSY_SECONDS = 2.0
BUSY_AGAIN_SECONDS = 0.01
_T = TypeVar("_T")
Parameters: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"


class Connection(Protocol):
    """An open connection, used by one task."""

    @property
    def info(self) -> dict[Any, Any]:
        """What is remembered with it."""

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Execute a statement, once for each set of parameters."""

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - whatever is asked for
        """Return the first column of the first row, None without any."""

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], _T]) -> _T:
        """Do what takes long, or what only speaks to SQLAlchemy's plain connection."""


class SqliteEngine:
    """SQLite in this process: a statement takes microseconds, so it runs where it is asked for.

    What waits does not wait there: for the disk (a commit) in a thread, for another process's lock on the
    loop. One transaction at a time writes, and those that wait for their turn share one commit: the disk
    takes as long for many as for one. Readers see what was committed and wait for nobody.
    """

    def __init__(self, url: URL) -> None:
        self.writer = _engine(url, pool_size=1)
        self._reader = _engine(url, pool_size=5, max_overflow=-1)
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._group: _Group | None = None
        self._committing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction that may write: committed on leaving, rolled back on an exception."""
        async with self._turn:
            group = self._group or await self._opened()
            connection = group.connection
            group.savepoint()
            try:
                yield _Inline(connection, self._thread)
            except BaseException:
                group.undo()
                raise
            group.release()
        await _to_its_end(group.committed)

    async def _opened(self) -> _Group:
        """Open the transaction of a group, whose commit comes after those who are waiting now."""
        connection = self.writer.connect()
        try:
            await _begin(connection)
        except BaseException:
            connection.close()
            raise
        group = self._group = _Group(connection)
        group.committed = self._committing = asyncio.create_task(self._commit(group))
        # Nobody waits for it when all of them have failed.
        group.committed.add_done_callback(lambda commit: commit.cancelled() or commit.exception())
        return group

    async def _commit(self, group: _Group) -> None:
        # A lock is fair: this comes after all who waited for it when the group was opened.
        async with self._turn:
            self._group = None
            with group.connection as connection:
                try:
                    await _done(self._thread, group.commit)
                except BaseException:
                    # SQLAlchemy would hand it on in the middle of the transaction that was not committed.
                    connection.connection.rollback()
                    raise

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection to read from, each statement for itself."""
        with self._reader.connect() as connection:
            yield _Inline(connection, self._thread)

    async def dispose(self) -> None:
        """Close the connections and the thread."""
        if self._committing is not None:
            await asyncio.wait({self._committing})
        self._thread.shutdown()
        self.writer.dispose()
        self._reader.dispose()


class _Group:
    """Transactions that are committed together. Each can be undone by itself, until then."""

    committed: asyncio.Task[None]

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self.connection = connection
        self.lost: Exception | None = None

    def savepoint(self) -> None:
        """Begin one.

        Raises:
            Exception: what ended the whole of it; SQLite does so when the disk is full.
        """
        if self.lost is not None:
            raise self.lost
        self.connection.exec_driver_sql("SAVEPOINT one")

    def release(self) -> None:
        """End one, to be committed."""
        try:
            self.connection.exec_driver_sql("RELEASE one")
        except Exception as error:
            self.lost = error
            raise

    def undo(self) -> None:
        """End one as if it had not been."""
        try:
            self.connection.exec_driver_sql("ROLLBACK TO one")
            self.connection.exec_driver_sql("RELEASE one")
        except Exception as error:  # noqa: BLE001 - the one who failed has their own; the others get this
            self.lost = error

    def commit(self) -> None:
        """Commit all that have ended.

        Raises:
            Exception: it cannot be, and none of them is.
        """
        if self.lost is not None:
            raise self.lost
        self.connection.commit()


class PostgresqlEngine:
    """PostgreSQL, by way of SQLAlchemy's asynchronous engine."""

    def __init__(self, url: URL, statement_seconds: float | None) -> None:
        self.engine = create_async_engine(
            url,
            hide_parameters=True,
            # Kept, all of them: to make one and throw it away costs more than what is done with it.
            pool_size=CONNECTIONS + 1,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            skip_autocommit_rollback=True,
            connect_args={
                "timeout": 5,
                "command_timeout": statement_seconds,
                "server_settings": _SESSION,
            },
        )
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        # In the pool whoever comes passes those that wait. The one more is for who listens.
        self._places = asyncio.Semaphore(CONNECTIONS)
        pool = self.engine.sync_engine
        if statement_seconds is not None:
            event.listen(pool, "connect", _end_transactions)
        event.listen(pool, "checkin", _note_use)
        event.listen(pool, "checkout", partial(_look_whether_alive, pool.dialect))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction: committed on leaving, rolled back on an exception."""
        async with self._place(), self.engine.begin() as connection:
            yield cast("Connection", connection)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection on which each statement is a transaction of its own."""
        async with self._place(), self._alone.connect() as connection:
            yield cast("Connection", connection)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        async with asyncio.timeout(POOL_SECONDS):
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    async def dispose(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


class _Inline:
    def __init__(self, connection: sqlalchemy.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @property
    def info(self) -> dict[Any, Any]:
        return self._connection.info

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - as the protocol
        return self._connection.scalar(statement)

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], _T]) -> _T:
        return await _done(self._thread, lambda: work(self._connection))


async def _begin(connection: sqlalchemy.Connection) -> None:
    """Take the file's lock for writing; while another process has it, ask again and again."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            connection.rollback()
            if "locked" not in str(error.orig) or loop.time() >= give_up_at:
                raise
            await asyncio.sleep(BUSY_AGAIN_SECONDS)
        else:
            return


async def _done(thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    """Do it in the thread, to its end: a connection cannot be left in the middle of something."""
    return await _to_its_end(asyncio.get_running_loop().run_in_executor(thread, work))


async def _to_its_end(doing: asyncio.Future[_T]) -> _T:
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        raise


def _engine(url: URL, **options: Any) -> sqlalchemy.Engine:  # noqa: ANN401 - SQLAlchemy's own
    engine = create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": 0}, **options
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: DBAPIConnection, _record: object) -> None:
    # Transactions begin where we say so; sqlite3 would begin them at the first change, without the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _end_transactions(connection: DBAPIConnection, _record: object) -> None:
    cast("AsyncAdapt_asyncpg_connection", connection).run_async(
        lambda driver: driver.execute(_END_TRANSACTIONS)
    )


def _note_use(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED_AT] = time.monotonic()


def _look_whether_alive(
    dialect: Dialect, connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ask a connection that was idle whether it still lives; the pool makes another for one that died.

    Asking each time, as the pool does by itself, costs three round trips a statement.
    """
    used_at = entry.info.get(_USED_AT)
    if used_at is None or time.monotonic() - used_at < IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error
