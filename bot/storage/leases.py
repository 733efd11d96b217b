"""Leases on rows: which run works on a due row, and until when."""

from __future__ import annotations

import secrets
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from sqlalchemy import Integer, String, and_, bindparam, case, func, literal, or_, select, update

from bot.engine import Claim
from bot.storage.columns import metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import BindParameter, Executable, Row, Table, Update
    from sqlalchemy.sql.dml import ReturningUpdate

    from bot.storage.connection import Transaction
    from bot.storage.database import Database


T = TypeVar("T")
Loaders: TypeAlias = "Callable[[Sequence[Row[Any]]], Awaitable[Mapping[str, Callable[[], T]]]]"


async def anything_due(database: Database) -> bool:
    """Tell whether any durable work is due, now or later."""
    due = [
        select(literal(1)).where(table.c.due_at.is_not(None)).exists()
        for table in metadata.sorted_tables
        if "due_at" in table.c
    ]
    async with database.read() as connection:
        return bool(await connection.scalar(select(or_(*due))))


class LeaseStore(Generic[T]):
    """The lease columns of one table; implements `bot.engine.Leases`."""

    def __init__(self, database: Database, table: Table, loaders: Loaders[T]) -> None:
        """`loaders` returns for claimed rows a function per id that reads the row (`Claim.load`)."""
        self._database = database
        self.table = table
        self._loaders = loaders

    @property
    def kind(self) -> str:
        """The kind's name, also in notifications about this table."""
        return str(self.table.info["kind"])

    async def claim(self, limit: int, seconds: float) -> Sequence[Claim[T]]:
        """Claim up to `limit` free due rows; rows that another process is claiming are left out."""
        facts = {"token": secrets.token_hex(16), "now": self._database.clock.now(), "most": limit}
        facts |= self._database.backend.lease_facts(seconds)
        async with self._database.autocommit() as connection:
            rows = (await connection.execute(self._claim, facts)).all()
        loaders = await self._loaders(rows) if rows else {}
        return [
            Claim(
                id=r.id,
                token=r.lease_token,
                attempts=r.attempts,
                wakes=r.wakes,
                taken_over=r.taken_over,
                load=loaders[r.id],
            )
            for r in rows
        ]

    async def renew(self, claims: Sequence[Claim[T]], seconds: float) -> set[tuple[str, str]]:
        """Extend leases in one statement; return (id, token) of those still held."""
        facts = {"ids": [c.id for c in claims], "tokens": [c.token for c in claims]}
        facts |= self._database.backend.lease_facts(seconds)
        async with self._database.autocommit() as connection:
            return {(row.id, row.lease_token) for row in await connection.execute(self._renewal, facts)}

    async def release(self, claim: Claim[T], due_at: datetime | None, *, failed: bool) -> datetime | None:
        """Release a row that is due next at `due_at`; return when it is due: now if it was woken meanwhile.

        A `failed` run keeps `attempts` and is due at `due_at` in any case; any other resets `attempts`.
        """
        facts = {"this": claim.id, "token": claim.token, **self.when_given_back(claim, due_at)}
        async with self._database.autocommit() as connection:
            released = await connection.execute(self._failure if failed else self._release, facts)
            due: datetime | None = released.scalar_one_or_none()
        return due

    @property
    def given_back(self) -> dict[str, Any]:
        """The values that release a row together with a run's last change; see `when_given_back`."""
        row = self.table.c
        kept = case((row.wakes == bindparam("claimed_wakes"), self._next_due), else_=row.due_at)
        return {"lease_token": None, "lease_until": None, "attempts": 0, "due_at": kept}

    @staticmethod
    def when_given_back(claim: Claim[T], due_at: datetime | None) -> dict[str, Any]:
        """Return the parameters for `given_back`."""
        return {"claimed_wakes": claim.wakes, "next_due": due_at}

    @cached_property
    def _next_due(self) -> BindParameter[datetime | None]:
        return bindparam("next_due", type_=self.table.c.due_at.type)

    @cached_property
    def held(self) -> Update:
        """An update of the row `this` while `token` holds it; the values are bound per execution."""
        row = self.table.c
        return update(self.table).where(
            row.id == bindparam("this"), row.lease_token == bindparam("token", type_=String)
        )

    @cached_property
    def _release(self) -> ReturningUpdate[datetime | None]:
        return self.held.values(**self.given_back).returning(self.table.c.due_at)

    @cached_property
    def _failure(self) -> ReturningUpdate[datetime | None]:
        changes = {"lease_token": None, "lease_until": None, "due_at": self._next_due}
        return self.held.values(**changes).returning(self.table.c.due_at)

    @cached_property
    def _claim(self) -> Executable:
        row = self.table.c
        free = or_(row.lease_until.is_(None), row.lease_until < self._database.backend.lease_now())
        due = (
            select(row.id)
            .where(and_(row.due_at <= bindparam("now", type_=row.due_at.type), free))
            .order_by(row.due_at)
            .limit(bindparam("most", type_=Integer))
        )
        due = self._database.backend.locked(due, skip=True)
        return (
            update(self.table)
            .where(row.id.in_(due.scalar_subquery()))
            .values(
                lease_token=bindparam("token", type_=String),
                lease_until=self._database.backend.lease_end(),
                attempts=row.attempts + 1,
                taken_over=row.lease_token.is_not(None),
            )
            .returning(self.table)
        )

    @cached_property
    def _renewal(self) -> Executable:
        row = self.table.c
        return (
            update(self.table)
            .where(
                row.id.in_(bindparam("ids", expanding=True)),
                row.lease_token.in_(bindparam("tokens", expanding=True)),
            )
            .values(lease_until=self._database.backend.lease_end())
            .returning(row.id, row.lease_token)
        )

    async def next_due(self) -> datetime | None:
        """Return when the next row can be claimed (UTC): when it is due, or when its lease expires."""
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(self._soonest)
        return found

    @cached_property
    def _soonest(self) -> Executable:
        row = self.table.c
        if self._database.is_embedded:
            # This process holds every held row, and learns when it is due by releasing it.
            return select(func.min(row.due_at)).where(row.lease_until.is_(None))
        later = case((row.lease_until > row.due_at, row.lease_until), else_=row.due_at)
        return select(func.min(later, type_=row.due_at.type)).where(row.due_at.is_not(None))

    async def clear(self) -> None:
        """End the leases of a former process; on SQLite there is only one process, so they are all dead."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(self.table).where(self.table.c.lease_until.is_not(None)).values(lease_until=None)
            )


async def wake(transaction: Transaction, table: Table, row_id: str) -> bool:
    """Make a row due now, even if a run holds it; return False if there is no such row."""
    woken = await transaction.execute(_wake(table), {"this": row_id, "due_at": transaction.now()})
    transaction.announce(table)
    return bool(woken.rowcount)


@cache
def _wake(table: Table) -> Executable:
    return update(table).where(table.c.id == bindparam("this")).values(wakes=table.c.wakes + 1)
