"""SQLite, the embedded database: one process, one writer at a time, group commits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy import bindparam, create_engine, event, true
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError

from bot.storage.columns import Moment
from bot.storage.connection import SecondProcessError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import sqlalchemy
    from sqlalchemy import URL, ColumnElement, CursorResult, Executable, Select, Table
    from sqlalchemy import Insert as AnyInsert
    from sqlalchemy.dialects.sqlite import Insert
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from bot.domain.clock import Clock
    from bot.storage.connection import Connection, Parameters

OWNERS_ALONE = 0o600
BUSY_SECONDS = 2.0
BUSY_AGAIN_SECONDS = 0.01
_T = TypeVar("_T")


class Sqlite:
    """SQLite in this process. A statement takes microseconds, so it runs on the event loop.

    Slow steps do not block the loop: a commit waits for the disk in a thread, and the lock of another
    process is retried. Only one transaction writes at a time. Waiting transactions share one commit,
    because the disk takes as long for many as for one. Readers see committed data and never wait.
    """

    is_embedded = True

    def __init__(self, url: URL) -> None:
        self._path = Path(str(url.database))
        # The real path: two names of one file are one ledger.
        self._lock = FileLock(f"{self._path.resolve()}.lock", mode=OWNERS_ALONE)
        self.writer = _engine(url, pool_size=1)
        self._reader = _engine(url, pool_size=5, max_overflow=-1)
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._group: _Group | None = None
        self._committing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction that may write: committed on exit, rolled back on an exception."""
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
        """Open a group's transaction; its commit comes after the transactions that are waiting now."""
        connection = self.writer.connect()
        try:
            await _begin(connection)
        except BaseException:
            connection.close()
            raise
        group = self._group = _Group(connection)
        group.committed = self._committing = asyncio.create_task(self._commit(group))
        # If all its transactions have failed, no task awaits the commit.
        group.committed.add_done_callback(lambda commit: commit.cancelled() or commit.exception())
        return group

    async def _commit(self, group: _Group) -> None:
        # A lock is fair, so this runs after all tasks that waited for it when the group was opened.
        async with self._turn:
            self._group = None
            with group.connection as connection:
                try:
                    await _done(self._thread, group.commit)
                except BaseException:
                    # Without this, SQLAlchemy would reuse the connection within the failed transaction.
                    connection.connection.rollback()
                    raise

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection for reads; each statement is its own transaction."""
        with self._reader.connect() as connection:
            yield _Inline(connection, self._thread)

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement that is committed on its own."""
        return self.begin()

    def insert(self, table: Table) -> Insert:
        """Return an insert that supports ON CONFLICT."""
        return insert(table)

    def both(self, first: AnyInsert, second: AnyInsert) -> Sequence[Executable]:
        """Return the two inserts."""
        return first, second

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:  # noqa: ARG002 - PostgreSQL's
        """Return the query unchanged: only one transaction writes at a time."""
        return query

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:  # noqa: ARG002 - PostgreSQL's
        """Return a true condition: only one transaction writes at a time."""
        return true()

    def take_turns(self, names: Select[Any]) -> ColumnElement[bool]:  # noqa: ARG002 - PostgreSQL's
        """Return a true condition: only one transaction writes at a time."""
        return true()

    async def try_turn(self, connection: Connection, name: str) -> bool:  # noqa: ARG002 - PostgreSQL's
        """Return True: only one transaction writes at a time."""
        return True

    async def lost_settings(self) -> list[str]:
        """Return nothing: the connections are this process's own."""
        return []

    async def isolation(self) -> str:
        """Return that only one transaction writes at a time."""
        return "SERIALIZABLE"

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the event loop's time: only this process compares leases, and that clock is never set."""
        return bindparam(None, callable_=_loop_now, type_=Moment)

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that time plus the seconds of `lease_facts`."""
        return bindparam("lease_end", type_=Moment)

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return the parameters of a statement with `lease_end`."""
        return {"lease_end": _loop_now() + timedelta(seconds=seconds)}

    async def clock_ahead(self, clock: Clock) -> timedelta:  # noqa: ARG002 - PostgreSQL's
        """Return zero: SQLite has no clock of its own."""
        return timedelta()

    async def notify(self, notice: str) -> None:
        """Do nothing: there is only one process."""

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Return at once: there is only one process."""

    def exists(self) -> bool:
        """Tell whether the file exists and is not empty, as a new one is."""
        return self._path.is_file() and self._path.stat().st_size > 0

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self._path.absolute().parent

    def make_file(self) -> None:
        """Create the file and its folder, if they do not exist; its owner alone can read the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=OWNERS_ALONE)
        for suffix in ("", "-wal", "-shm", ".lock"):
            with suppress(FileNotFoundError):
                Path(f"{self._path.resolve()}{suffix}").chmod(OWNERS_ALONE)

    def claim_alone(self) -> None:
        """Make sure that no second process uses the file.

        Raises:
            SecondProcessError: another process uses it. The operating system frees the lock of a dead one.
        """
        self.make_file()
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise SecondProcessError(str(self._path)) from None

    async def aclose(self) -> None:
        """Close the connections and the thread, and free the lock."""
        if self._committing is not None:
            await asyncio.wait({self._committing})
        self._thread.shutdown()
        self.writer.dispose()
        self._reader.dispose()
        self._lock.release()


def _loop_now() -> datetime:
    return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)


class _Group:
    """Transactions that are committed together. Until then, each can be undone on its own."""

    committed: asyncio.Task[None]

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self.connection = connection
        self.lost: Exception | None = None
        # The driver's own, because SQLAlchemy takes ten times as long for a savepoint as SQLite.
        self._savepoint = connection.connection.cursor()

    def savepoint(self) -> None:
        """Begin a transaction of the group.

        Raises:
                Exception: the error that ended the whole group, e.g. a full disk.
        """
        if self.lost is not None:
            raise self.lost
        self._savepoint.execute("SAVEPOINT one")

    def release(self) -> None:
        """End a transaction, to be committed with the group."""
        try:
            self._savepoint.execute("RELEASE one")
        except Exception as error:
            self.lost = error
            raise

    def undo(self) -> None:
        """Undo a transaction."""
        try:
            self._savepoint.execute("ROLLBACK TO one")
            self._savepoint.execute("RELEASE one")
        except Exception as error:  # noqa: BLE001 - the failed task raises its own error; the others get this
            self.lost = error

    def commit(self) -> None:
        """Commit all transactions that have ended.

        Raises:
                Exception: the commit failed, and none of them is committed.
        """
        if self.lost is not None:
            raise self.lost
        self.connection.commit()


class _Inline:
    def __init__(self, connection: sqlalchemy.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - as the protocol
        return self._connection.scalar(statement)

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], _T]) -> _T:
        return await _done(self._thread, lambda: work(self._connection))


async def _begin(connection: sqlalchemy.Connection) -> None:
    """Take the file's write lock; retry while another process has it."""
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
    """Run work in the thread to its end: a connection cannot be left within an operation."""
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
    # Transactions begin explicitly; sqlite3 would begin them at the first change, without the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
