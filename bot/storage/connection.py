"""What the stores speak to: the same from both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from pathlib import Path

    import sqlalchemy
    from sqlalchemy import ColumnElement, CursorResult, Executable, Select, Table
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    from bot.domain.audit import Action
    from bot.domain.clock import Clock

T = TypeVar("T")
Parameters: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"


class Connection(Protocol):
    """An open connection, used by one task, on which each statement sees what is committed by then."""

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Execute a statement, once for each set of parameters."""

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - whatever is asked for
        """Return the first column of the first row, None without any."""

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Do what takes long, or what only speaks to SQLAlchemy's plain connection."""


class Transaction(Connection, Protocol):
    """A connection whose changes are committed together, with what they announce and record."""

    def now(self) -> datetime:
        """Return the present moment in UTC, by the app's clock."""

    def announce(self, table: Table) -> None:
        """Have the engines of all processes look for due rows of this table once it is committed."""

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
        """Write an audit entry, committed with the change; facts without a value are left out."""


class Backend(Protocol):
    """What differs between the databases."""

    is_embedded: bool
    """One process alone works with it, and keeps its schema current at the start."""

    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction: committed on leaving, rolled back on an exception."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection to read from; each statement sees what is committed by then."""

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement that is committed by itself."""

    def insert(self, table: Table) -> SqliteInsert | PostgresqlInsert:
        """Begin an insert that may say what to do on a conflict."""

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:
        """Have a query lock the rows it finds until the transaction ends; `skip` leaves out locked ones."""

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Return a condition that waits until no other transaction holds this name, and then holds it.

        A statement with it sees what was committed before it waited; later statements see the rest too.
        """

    async def try_advisory_lock(self, connection: Connection, number: int) -> bool:
        """Hold this number until the transaction ends; False where another transaction holds it."""

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the moment that decides leases."""

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that moment plus the seconds of `lease_facts`."""

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return what a statement with `lease_end` is executed with."""

    async def clock_ahead(self, clock: Clock) -> timedelta:
        """Return by how much the database's clock is ahead of ours."""

    async def notify(self, notice: str) -> None:
        """Tell the other processes that listen."""

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Pass notices on until cancelled; returns at once where there is one process only.

        `on_reconnect` is called whenever the connection is there (again): notices may have been missed.
        """

    def exists(self) -> bool:
        """Tell whether there is a database to look into."""

    @property
    def folder(self) -> Path | None:
        """The folder of the database's file, None where it is none of ours."""

    def make_folder(self) -> None:
        """Make the folder of the database's file, where it is ours and not there yet."""

    def claim_alone(self) -> None:
        """Make sure that no second process works on an embedded database.

        Raises:
            SecondProcessError: there is one. The operating system frees the lock when a process dies.
        """

    async def aclose(self) -> None:
        """Close the connections and free the lock."""


class SecondProcessError(Exception):
    """Another process already works on this SQLite file."""
