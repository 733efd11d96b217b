"""SQLite, the embedded database: one process, one writer at a time, commits in groups."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout
from sqlalchemy import bindparam, create_engine, event, true
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError

from bot.storage.connection import SecondProcessError
from bot.storage.tables import Moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import sqlalchemy
    from sqlalchemy import URL, ColumnElement, CursorResult, Executable, Select, Table
    from sqlalchemy.dialects.sqlite import Insert
    from sqlalchemy.engine.interfaces import DBAPIConnection

    from bot.domain.clock import Clock
    from bot.storage.connection import Connection, Parameters

BUSY_SECONDS = 2.0
BUSY_AGAIN_SECONDS = 0.01
_T = TypeVar("_T")


class Sqlite:
    """SQLite in this process. A statement takes microseconds, so it runs on the event loop.

    What takes long does not: a commit waits for the disk in a thread, and another process's lock is asked
    for again and again. One transaction at a time writes. Those that wait for their turn share one commit,
    because the disk takes as long for many as for one. Readers see what was committed and wait for nothing.
    """

    is_embedded = True

    def __init__(self, url: URL) -> None:
        self._path = Path(str(url.database))
        self._lock = FileLock(f"{url.database}.lock")
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

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement that is committed by itself."""
        return self.begin()

    def insert(self, table: Table) -> Insert:
        """Begin an insert that may say what to do on a conflict."""
        return insert(table)

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:  # noqa: ARG002 - PostgreSQL's
        """Return the query as it is: transactions write one after another."""
        return query

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:  # noqa: ARG002 - PostgreSQL's
        """Return a condition that holds: transactions write one after another."""
        return true()

    async def try_advisory_lock(self, connection: Connection, number: int) -> bool:  # noqa: ARG002 - PostgreSQL's
        """Return True: transactions write one after another."""
        return True

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the event loop's time: one process compares leases, and nobody sets that clock."""
        return bindparam(None, callable_=_loop_now, type_=Moment)

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that moment plus the seconds of `lease_facts`."""
        return bindparam("lease_end", type_=Moment)

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return what a statement with `lease_end` is executed with."""
        return {"lease_end": _loop_now() + timedelta(seconds=seconds)}

    async def clock_ahead(self, clock: Clock) -> timedelta:  # noqa: ARG002 - PostgreSQL's
        """Return nothing: SQLite has no clock of its own."""
        return timedelta()

    async def notify(self, notice: str) -> None:
        """Tell nobody: there is one process."""

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Return at once: there is one process."""

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._path.exists()

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self._path.absolute().parent

    def make_folder(self) -> None:
        """Make the folder of the file, if it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def claim_alone(self) -> None:
        """Make sure that no second process works on the file.

        Raises:
            SecondProcessError: there is one. The operating system frees the lock when a process dies.
        """
        self.make_folder()
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
