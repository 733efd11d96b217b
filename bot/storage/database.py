"""The database for the stores: transactions, reads, and notifications of new work."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import warnings
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]
import simplejson
from sqlalchemy import bindparam, insert, make_url
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bot.domain.audit import acting_from, signed_request
from bot.domain.errors import GivenUpError, ReplayedError, StoreUnavailableError
from bot.storage.postgresql import Postgresql
from bot.storage.postgresql_session import SessionRefusedError
from bot.storage.postgresql_url import Target
from bot.storage.sqlite import Sqlite
from bot.storage.tables import audit, pulse, seen_requests
from bot.timing import STATEMENT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    import sqlalchemy
    from sqlalchemy import URL, CursorResult, Executable, Table

    from bot.domain.audit import Action, SignedRequest
    from bot.domain.clock import Clock
    from bot.storage.connection import Backend, Connection, Parameters, T, Transaction

_OUR_MISTAKES = (IntegrityError, ProgrammingError, DataError)
_AWAY = (
    DBAPIError,
    DisconnectionError,
    PoolTimeoutError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    SessionRefusedError,
    OSError,
)
# Inline, because the new row's id is not needed.
_AUDIT_ENTRY = (
    insert(audit)
    .values({each.name: bindparam(f"entry_{each.name}") for each in audit.c if not each.primary_key})
    .inline()
)


def async_url(database_url: str) -> URL:
    """Return the URL with the driver: `sqlite:///…`, `postgresql://…`.

    Raises:
        ValueError: another database, not a URL, or a parameter that is not known; it names the parameter.
    """
    try:
        url = make_url(database_url)
    except Exception as error:  # SQLAlchemy's own message may repeat the password
        raise ValueError("not a database URL") from error
    match url.get_backend_name():
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(drivername="sqlite")
        case "postgresql" | "postgres":
            Target.of(url)
            return url.set(drivername="postgresql+asyncpg")
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
        channel: str = "billing_bot",
        statement_seconds: float | None = STATEMENT_SECONDS,
    ) -> None:
        """After a commit, `wake` is called with the kinds of work that the transaction announced.

        Other processes are notified too, on `channel`, unless this one `works` itself. If a statement takes
        longer than `statement_seconds`, the database counts as unavailable.
        """
        self.url = async_url(database_url)
        self.clock = clock
        self.wake = wake
        self.process = secrets.token_hex(8)
        embedded = self.url.get_backend_name() == "sqlite"
        self.backend: Backend = (
            Sqlite(self.url) if embedded else Postgresql(Target.of(self.url), channel, statement_seconds)
        )
        # Built once: it is a part of every request that changes something.
        self._first_entry = self.backend.both(
            _AUDIT_ENTRY, self.backend.insert(seen_requests).on_conflict_do_nothing()
        )
        self._notifies_others = not embedded and not works
        self._holders: set[asyncio.Task[Any] | None] = set()
        self._unannounced: set[str] = set()
        self._notifying: asyncio.Task[None] | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether only one process uses it, and migrates it at the start."""
        return self.backend.is_embedded

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction: committed on exit, rolled back on an exception.

        Raises:
            StoreUnavailableError: no connection, or it is lost, locked, full or read-only.
        """
        kinds: set[str] = set()
        stored_for: list[SignedRequest] = []
        try:
            with _unavailable(), self._one_for_each_task():
                async with self.backend.begin() as connection:
                    yield _Transaction(connection, self.clock, kinds, stored_for, self._first_entry)
        except BaseException:
            for request in stored_for:
                request.is_stored = False  # rolled back
            raise
        if kinds:
            self.wake(*kinds)
            if self._notifies_others:
                self._notify_others(kinds)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Open a connection for reads; each statement sees what is committed when it starts.

        Raises:
            StoreUnavailableError: as `transaction`.
        """
        with _unavailable(), self._one_for_each_task():
            async with self.backend.connect() as connection:
                yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Connection]:
        """Open a connection for one statement that is committed on its own and announces nothing.

        Raises:
            StoreUnavailableError: as `transaction`.
        """
        with _unavailable(), self._one_for_each_task():
            async with self.backend.autocommit() as connection:
                yield connection

    @contextmanager
    def _one_for_each_task(self) -> Iterator[None]:
        """Warn of a task that asks for a second connection while it holds one.

        If all connections are held by such tasks, each waits for the others. Tests fail with the warning.
        """
        task = asyncio.current_task()
        if task in self._holders:
            warnings.warn(
                "a second connection is asked for while one is held", ResourceWarning, stacklevel=4
            )
            yield
            return
        self._holders.add(task)
        try:
            yield
        finally:
            self._holders.discard(task)

    async def connect(self) -> None:
        """Open a connection and close it; raises whatever the driver raises."""
        async with self.backend.connect():
            pass

    async def clock_ahead(self) -> timedelta:
        """Return how far the database's clock is ahead of ours; zero if it has none."""
        return await self.backend.clock_ahead(self.clock)

    async def ping(self) -> None:
        """Write a heartbeat: a full or read-only database still answers reads.

        Raises whatever the driver raises.
        """
        beat = self.backend.insert(pulse).values(id=1, at=self.clock.now())
        async with self.autocommit() as connection:
            await connection.execute(
                beat.on_conflict_do_update(index_elements=[pulse.c.id], set_={"at": beat.excluded.at})
            )

    async def listen(self, on_reconnect: Callable[[], None]) -> None:
        """Wake this process's engine on notifications of other processes, until canceled.

        A missed notification only delays work until the engine's next regular look.
        """

        def heard(notice: str) -> None:
            process, _, kinds = notice.partition(" ")
            if process != self.process:
                self.wake(*kinds.split())

        await self.backend.listen(heard, on_reconnect)

    def _notify_others(self, kinds: set[str]) -> None:
        """Notify after the commit: PostgreSQL serializes the commits of transactions with a NOTIFY."""
        self._unannounced |= kinds
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.create_task(self._notify())

    async def _notify(self) -> None:
        """Send all collected notifications. A process that misses one finds the work later by itself."""
        with suppress(StoreUnavailableError):
            while self._unannounced:
                notice = " ".join([self.process, *sorted(self._unannounced)])
                self._unannounced.clear()
                with _unavailable():
                    await self.backend.notify(notice)

    async def aclose(self) -> None:
        """Close the connections and free the lock."""
        if self._notifying is not None:
            await self._notifying
        await self.backend.aclose()


class _Transaction:
    """Implements `bot.storage.connection.Transaction` on a connection of either database."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        kinds: set[str],
        stored_for: list[SignedRequest],
        first_entry: Sequence[Executable],
    ) -> None:
        self._connection = connection
        self._stored_for = stored_for
        self._first_entry = first_entry
        self._clock = clock
        self._kinds = kinds
        self._origin = acting_from.get()

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        return await self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - as the protocol
        return await self._connection.scalar(statement)

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        return await self._connection.run_sync(work)

    def now(self) -> datetime:
        return self._clock.now()

    def announce(self, table: Table) -> None:
        self._kinds.add(table.info["kind"])

    async def record(
        self,
        action: Action,
        *,
        actor: str,
        subject: str,
        result: str,
        at: datetime | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        entry = {
            "entry_at": at or self.now(),
            "entry_actor": actor,
            "entry_action": action.value,
            "entry_subject": subject,
            "entry_result": result,
            "entry_origin": self._origin,
            "entry_facts": simplejson.dumps(
                {name: str(value) for name, value in (facts or {}).items() if value is not None},
                sort_keys=True,
            ),
        }
        request = signed_request.get()
        if request is None or request.is_stored:
            await self._connection.execute(_AUDIT_ENTRY, entry)
        else:
            await self._record_first(entry, request)

    async def _record_first(self, entry: Mapping[str, object], request: SignedRequest) -> None:
        """Write the first entry of a request, and store its signature with the change that it makes.

        Raises:
            ReplayedError: the same request has changed something before, in this process or another.
            GivenUpError: Slack has called the request failed.
        """
        if request.is_given_up():
            raise GivenUpError
        request.is_stored = True  # at once, so that nothing else of this request stores it too
        self._stored_for.append(request)
        values = {**entry, "signature": request.signature, "at": self.now()}
        for statement in self._first_entry:
            stored = await self._connection.execute(statement, values)
        if not stored.rowcount:
            raise ReplayedError


def refusal(error: BaseException) -> str | None:
    """Return in plain words why a connection fails for good; None if it may succeed later."""
    if isinstance(error, SessionRefusedError):
        return str(error)
    return "the file cannot be used" if "sqlite" in str(type(getattr(error, "orig", None))) else None


@contextmanager
def _unavailable() -> Iterator[None]:
    """Raise StoreUnavailableError for every driver's error that means an unavailable database."""
    try:
        yield
    except _OUR_MISTAKES:
        raise
    except _AWAY as error:
        raise StoreUnavailableError(refusal(error) or type(error).__name__) from error
