"""PostgreSQL, for several processes: leases use its clock, and LISTEN delivers notifications."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import structlog
from sqlalchemy import Float, String, bindparam, event, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine

from bot.elapsed import elapsed
from bot.storage.columns import Moment
from bot.storage.postgresql_session import Sessions, is_read_only
from bot.storage.tables import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import ColumnElement, Dialect, Executable, Select, Table
    from sqlalchemy import Insert as AnyInsert
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from bot.domain.clock import Clock
    from bot.storage.connection import Connection
    from bot.storage.postgresql_url import Target

ISOLATION = "READ COMMITTED"
_USED_AT = "used_at"
LISTEN_AGAIN_SECONDS = 2.0
ALIVE_SECONDS = 10.0
CONNECTION_AGE_SECONDS = 600
READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction (PostgreSQL, appendix A)."""
CONNECTIONS = 20
POOL_SECONDS = 5
IDLE_SECONDS = 1.0
_NOTIFY = select(func.pg_notify(bindparam("channel", type_=String), bindparam("notice", type_=String)))

log = structlog.get_logger(__name__)


class Postgresql:
    """PostgreSQL through SQLAlchemy's asynchronous engine."""

    is_embedded = False

    def __init__(self, target: Target, channel: str, statement_seconds: float | None) -> None:
        self._channel = channel
        self._sessions = Sessions(target, statement_seconds)
        self.engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._sessions.open,
            hide_parameters=True,
            # Also said at each BEGIN: a pooler may drop what a session was started with.
            isolation_level=ISOLATION,
            # No overflow: creating and discarding a connection costs more than the work done on it.
            pool_size=CONNECTIONS + 1,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            skip_autocommit_rollback=True,
            # So that after a failover, or a change of names, the old ones are gone in time.
            pool_recycle=CONNECTION_AGE_SECONDS,
        )
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        # The pool is not fair to waiting tasks, but a semaphore is. The extra connection is for LISTEN.
        self._places = asyncio.Semaphore(CONNECTIONS)
        pool = self.engine.sync_engine
        event.listen(pool, "handle_error", _count_read_only_as_disconnected)
        event.listen(pool, "checkin", _set_used_at)
        event.listen(pool, "checkout", partial(_look_whether_alive, pool.dialect))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction: committed on exit, rolled back on an exception."""
        async with self._place(), self.engine.begin() as connection:
            yield cast("Connection", connection)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection on which each statement is its own transaction."""
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

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement; this saves the two round trips of a transaction."""
        return self.connect()

    def insert(self, table: Table) -> Insert:
        """Return an insert that supports ON CONFLICT."""
        return insert(table)

    def both(self, first: AnyInsert, second: AnyInsert) -> Sequence[Executable]:
        """Return one statement: a confirmation waits for each round trip."""
        return (second.add_cte(first.cte("first")),)

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:
        """Make a query lock the rows it finds until the transaction ends; `skip` leaves out locked rows."""
        return query.with_for_update(read=shared, skip_locked=skip)

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Return a condition that waits for the lock and takes it until the transaction ends."""
        held: ColumnElement[Any] = func.pg_advisory_xact_lock(func.hashtextextended(name, 0))
        return held.is_not(None)

    def take_turns(self, names: Select[Any]) -> ColumnElement[bool]:
        """Return a condition that locks a row for each name, in their order, and makes missing rows.

        Rows of our own, because any role may take any advisory lock.
        """
        asked = names.subquery()
        made = insert(turns).from_select(["name"], select(func.md5(asked.c[0])))
        held = made.on_conflict_do_update(
            index_elements=[turns.c.name], set_={"name": made.excluded.name}
        ).returning(turns.c.name)
        return exists(select(held.cte("turns_held").c.name))

    async def try_turn(self, connection: Connection, name: str) -> bool:
        """Lock the row of this name until the transaction ends; return False if it is locked."""
        row = select(turns.c.name).where(turns.c.name == name)
        if await connection.scalar(row.with_for_update(skip_locked=True)) is not None:
            return True
        if await connection.scalar(row) is None:
            await connection.execute(insert(turns).values(name=name).on_conflict_do_nothing())
        return False

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the server's time, because all processes agree on it."""
        return func.clock_timestamp(type_=Moment)

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that time plus the seconds of `lease_facts`."""
        seconds = bindparam("lease_seconds", type_=Float)
        return func.clock_timestamp(type_=Moment) + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return the parameters of a statement with `lease_end`."""
        return {"lease_seconds": seconds}

    async def clock_ahead(self, clock: Clock) -> timedelta:
        """Return how far the server's clock is ahead of ours."""
        async with self.engine.connect() as connection:
            before = clock.now()
            theirs: datetime | None = await connection.scalar(select(func.clock_timestamp(type_=Moment)))
            ours = before + (clock.now() - before) / 2
        return timedelta() if theirs is None else theirs - ours

    async def isolation(self) -> str:
        """Return the isolation that statements and transactions have; more than one if they differ."""
        show = text("SHOW transaction_isolation")
        async with self.begin() as within, self.connect() as alone:
            found = [str(await each.scalar(show)).upper() for each in (within, alone)]
        return ", ".join(dict.fromkeys(found))

    async def lost_settings(self) -> list[str]:
        """Return what the sessions do not hold though it was set, as behind some poolers."""
        async with self._alone.connect() as first, self._alone.connect() as second:
            return await self._sessions.lost(await _driver(first), await _driver(second))

    async def notify(self, notice: str) -> None:
        """Send a notification to the other processes that listen."""
        async with self.connect() as connection:
            await connection.execute(_NOTIFY, {"channel": self._channel, "notice": notice})

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Pass notifications on until canceled; reconnect after a lost connection.

        `on_reconnect` is called whenever there is a (new) connection: notifications may have been missed.
        """
        while True:
            try:
                await self._listen(heard, on_reconnect)
            except Exception as error:  # noqa: BLE001 - every driver error means the same here
                log.warning("listen.lost", problem=type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def _listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        gone = asyncio.Event()

        def receive(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            heard(payload)

        async with self.engine.connect() as connection:
            driver = await _driver(connection)
            until = elapsed() + CONNECTION_AGE_SECONDS
            driver.add_termination_listener(lambda _connection: gone.set())
            await driver.add_listener(self._channel, receive)
            try:
                on_reconnect()
                while not gone.is_set() and elapsed() < until:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(ALIVE_SECONDS):
                            await gone.wait()
                    # A connection can be lost without an error; only a query shows it. After a failover it
                    # hears nothing of what is written elsewhere.
                    if await is_read_only(driver):
                        await connection.invalidate()
                        return
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(self._channel, receive)

    def exists(self) -> bool:
        """Return True: the operator has created the database."""
        return True

    @property
    def folder(self) -> None:
        """None: there is no file of ours."""
        return

    def make_file(self) -> None:
        """Do nothing: there is no file of ours."""

    def claim_alone(self) -> None:
        """Do nothing: any number of processes may use it."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


async def _driver(connection: AsyncConnection) -> Any:  # noqa: ANN401 - asyncpg has no types
    return (await connection.get_raw_connection()).driver_connection


def _count_read_only_as_disconnected(context: ExceptionContext) -> None:
    """Have the pool replace its connections: after a failover those from before it cannot write."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _set_used_at(_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED_AT] = elapsed()


def _look_whether_alive(
    dialect: Dialect, connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ping a connection that was idle; the pool replaces a dead one.

    The pool's own ping before each use costs three round trips per statement.
    """
    used_at = entry.info.get(_USED_AT)
    if used_at is None or elapsed() - used_at < IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error
