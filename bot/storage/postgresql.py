"""PostgreSQL, the database of several processes: its clock decides leases, and LISTEN carries notices."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import structlog
from sqlalchemy import Float, String, bindparam, event, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine

from bot.storage.tables import Moment
from bot.timing import IDLE_TRANSACTION_SECONDS, LOCK_WAIT_SECONDS, TRANSACTION_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import URL, ColumnElement, Dialect, Select, Table
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from bot.domain.clock import Clock
    from bot.storage.connection import Connection

_SESSION = {
    "application_name": "billing-bot",
    # A paused process must not keep rows locked for longer than its lease, and a refresh takes ten seconds.
    "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS}s",
    "lock_timeout": f"{LOCK_WAIT_SECONDS}s",
}
# That timeout does not see one that was paused between a statement's preparation and its execution: to the
# server it is active. This one does, from PostgreSQL 17 on; a refresh and its waits stay far below.
_END_TRANSACTIONS = (
    f"SELECT set_config(name, '{TRANSACTION_SECONDS}s', false) "  # noqa: S608 - our own number
    "FROM pg_settings WHERE name = 'transaction_timeout'"
)
_USED_AT = "used_at"
CHANNEL = "billing_bot_work"
LISTEN_AGAIN_SECONDS = 2.0
ALIVE_SECONDS = 30.0
CONNECTIONS = 20
POOL_SECONDS = 5
IDLE_SECONDS = 1.0
_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("notice", type_=String)))

log = structlog.get_logger(__name__)


class Postgresql:
    """PostgreSQL, by way of SQLAlchemy's asynchronous engine."""

    is_embedded = False

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

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement: spared are the two round trips of a transaction."""
        return self.connect()

    def insert(self, table: Table) -> Insert:
        """Begin an insert that may say what to do on a conflict."""
        return insert(table)

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:
        """Have a query lock the rows it finds until the transaction ends; `skip` leaves out locked ones."""
        return query.with_for_update(read=shared, skip_locked=skip)

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Return a condition that waits until no other transaction holds this name, and then holds it."""
        held: ColumnElement[Any] = func.pg_advisory_xact_lock(func.hashtextextended(name, 0))
        return held.is_not(None)

    async def try_advisory_lock(self, connection: Connection, number: int) -> bool:
        """Hold this number until the transaction ends; False where another transaction holds it."""
        return bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(number))))

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the server's own time: all processes agree on it."""
        return func.clock_timestamp(type_=Moment)

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that moment plus the seconds of `lease_facts`."""
        seconds = bindparam("lease_seconds", type_=Float)
        return func.clock_timestamp(type_=Moment) + func.make_interval(0, 0, 0, 0, 0, 0, seconds)

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return what a statement with `lease_end` is executed with."""
        return {"lease_seconds": seconds}

    async def clock_ahead(self, clock: Clock) -> timedelta:
        """Return by how much the server's clock is ahead of ours."""
        async with self.engine.connect() as connection:
            before = clock.now()
            theirs: datetime | None = await connection.scalar(select(func.clock_timestamp(type_=Moment)))
            ours = before + (clock.now() - before) / 2
        return timedelta() if theirs is None else theirs - ours

    async def notify(self, notice: str) -> None:
        """Tell the other processes that listen."""
        async with self.connect() as connection:
            await connection.execute(_NOTIFY, {"notice": notice})

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Pass notices on until cancelled; a lost connection is made anew.

        `on_reconnect` is called whenever the connection is there (again): notices may have been missed.
        """
        while True:
            try:
                await self._listen(heard, on_reconnect)
            except Exception as error:  # noqa: BLE001 - whatever the driver raises means the same here
                log.warning("listen.lost", problem=type(error).__name__)
            await asyncio.sleep(LISTEN_AGAIN_SECONDS)

    async def _listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        gone = asyncio.Event()

        def receive(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            heard(payload)

        async with self.engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.add_termination_listener(lambda _connection: gone.set())
            await driver.add_listener(CHANNEL, receive)
            try:
                on_reconnect()
                while not gone.is_set():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(ALIVE_SECONDS):
                            await gone.wait()
                    # A connection may be lost without a word; only a question shows it.
                    await driver.execute("SELECT 1")
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(CHANNEL, receive)

    def exists(self) -> bool:
        """Return True: the operator has made the database."""
        return True

    @property
    def folder(self) -> None:
        """No file is ours."""
        return

    def make_folder(self) -> None:
        """Do nothing: no file is ours."""

    def claim_alone(self) -> None:
        """Do nothing: any number of processes may work."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


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
