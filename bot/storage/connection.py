"""The interfaces that both databases implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from pathlib import Path

    import sqlalchemy
    from sqlalchemy import ColumnElement, CursorResult, Executable, Insert, Select, Table
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    from bot.domain.audit import Action
    from bot.domain.clock import Clock

T = TypeVar("T")
Parameters: TypeAlias = "Sequence[Mapping[str, Any]] | Mapping[str, Any]"


class Connection(Protocol):
    """An open connection for one task; each statement sees what is committed when it starts."""

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Execute a statement, once for each set of parameters."""

    async def scalar(self, statement: Executable) -> Any:  # noqa: ANN401 - whatever is asked for
        """Return the first column of the first row; None if there is no row."""

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Run work that takes long, or that needs SQLAlchemy's synchronous connection."""


class Transaction(Connection, Protocol):
    """A connection whose changes are committed together, with their audit entries and notifications."""

    def now(self) -> datetime:
        """Return the current time in UTC, by the app's clock."""

    def announce(self, table: Table) -> None:
        """After the commit, wake this process's engine for this table, or if it has none, the others'."""

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
        """Write an audit entry, committed with the change; facts that are None are left out."""


class Backend(Protocol):
    """The operations that differ between the databases."""

    is_embedded: bool
    """Whether only one process uses it, and migrates it at the start."""

    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction: committed on exit, rolled back on an exception."""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for reads; each statement sees what is committed when it starts."""

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Open a connection for one statement that is committed on its own."""

    def insert(self, table: Table) -> SqliteInsert | PostgresqlInsert:
        """Return an insert that supports ON CONFLICT."""

    def both(self, first: Insert, second: Insert) -> Sequence[Executable]:
        """Return what makes both inserts with the same values; the last result is the second's.

        The values of the first are bound by name.
        """

    def locked(self, query: Select[Any], *, shared: bool = False, skip: bool = False) -> Select[Any]:
        """Make a query lock the rows it finds until the transaction ends; `skip` leaves out locked rows."""

    def take_turns(self, names: Select[Any]) -> ColumnElement[bool]:
        """Return a condition that waits for each of these names, in this order, and holds them.

        They are held until the transaction ends. Later statements see what was committed meanwhile.
        """

    def advisory_lock(self, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Return a condition that waits for this lock and holds it until the transaction ends.

        Its statement sees what was committed before the wait; later statements see everything committed.
        """

    async def try_turn(self, connection: Connection, name: str) -> bool:
        """Hold this name until the transaction ends; return False if another transaction holds it."""

    def lease_now(self) -> ColumnElement[datetime]:
        """Return the current time for comparing leases."""

    def lease_end(self) -> ColumnElement[datetime]:
        """Return that time plus the seconds of `lease_facts`."""

    def lease_facts(self, seconds: float) -> dict[str, Any]:
        """Return the parameters of a statement with `lease_end`."""

    async def lost_settings(self) -> list[str]:
        """Return what the sessions do not hold though it was set, as behind some poolers."""

    async def isolation(self) -> str:
        """Return the isolation that statements and transactions have; more than one if they differ."""

    async def clock_ahead(self, clock: Clock) -> timedelta:
        """Return how far the database's clock is ahead of ours."""

    async def notify(self, notice: str) -> None:
        """Send a notification to the other processes that listen."""

    async def listen(self, heard: Callable[[str], None], on_reconnect: Callable[[], None]) -> None:
        """Pass notifications on until canceled; return at once if there is only one process.

        `on_reconnect` is called whenever there is a (new) connection: notifications may have been missed.
        """

    def exists(self) -> bool:
        """Tell whether the database exists."""

    @property
    def folder(self) -> Path | None:
        """The folder of the database's file; None if there is no such file."""

    def make_file(self) -> None:
        """Create an embedded database's file, which its owner alone can read, and its folder."""

    def claim_alone(self) -> None:
        """Make sure that no second process uses an embedded database.

        Raises:
            SecondProcessError: another process uses it. The operating system frees the lock of a dead one.
        """

    async def aclose(self) -> None:
        """Close the connections and free the lock."""


class SecondProcessError(Exception):
    """Another process already works on this SQLite file."""
