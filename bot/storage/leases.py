"""Leases on rows: who works on what is due, and until when."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select, update

from bot.engine import Claim
from bot.storage.database import announce

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Table

    from bot.storage.connection import Connection
    from bot.storage.database import Database

    Find = Callable[[Sequence[Row[Any]]], Awaitable[Mapping[str, Any]]]


class LeaseStore:
    """The lease columns of one table, as the engine wants them (`bot.engine.Leases`)."""

    def __init__(self, database: Database, table: Table, find: Find | None = None) -> None:
        """Let `find` make of the rows, as they were claimed, what `Claim.found` is to be, by id."""
        self._database = database
        self._table = table
        self._find = find

    async def claim(self, limit: int, seconds: float) -> Sequence[Claim]:
        """Take up to `limit` due rows that nobody holds. Rows another process is taking are passed over."""
        row = self._table.c
        free = or_(row.lease_until.is_(None), row.lease_until < self._database.lease_now())
        due = (
            select(row.id)
            .where(and_(row.due_at <= self._database.clock.now(), free))
            .order_by(row.due_at)
            .limit(limit)
        )
        if not self._database.is_sqlite:
            due = due.with_for_update(skip_locked=True)
        statement = (
            update(self._table)
            .where(row.id.in_(due.scalar_subquery()))
            .values(
                lease_token=secrets.token_hex(16),
                lease_until=self._database.lease_until(seconds),
                attempts=row.attempts + 1,
                taken_over=row.lease_token.is_not(None),
            )
            .returning(self._table)
        )
        async with self._database.single() as connection:
            rows = (await connection.execute(statement)).all()
        found = await self._find(rows) if self._find is not None and rows else {}
        return [
            Claim(
                id=r.id,
                token=r.lease_token,
                attempts=r.attempts,
                wakes=r.wakes,
                taken_over=r.taken_over,
                found=found.get(r.id),
            )
            for r in rows
        ]

    async def renew(self, claims: Sequence[Claim], seconds: float) -> set[str]:
        """Prolong leases in one statement; return the ids still held."""
        row = self._table.c
        statement = (
            update(self._table)
            .where(row.id.in_([c.id for c in claims]), row.lease_token.in_([c.token for c in claims]))
            .values(lease_until=self._database.lease_until(seconds))
            .returning(row.id)
        )
        async with self._database.single() as connection:
            return set((await connection.execute(statement)).scalars())

    async def release(self, claim: Claim, due_at: datetime | None, *, failed: bool) -> datetime | None:
        """Give a row back, next due then. A wake that came meanwhile keeps it due at once.

        `attempts` counts the runs since the last one that returned properly.
        """
        row = self._table.c
        changes = self.given_back(claim, due_at)
        if failed:
            changes |= {"attempts": row.attempts, "due_at": due_at}
        statement = (
            update(self._table)
            .where(row.id == claim.id, row.lease_token == claim.token)
            .values(**changes)
            .returning(row.due_at)
        )
        async with self._database.single() as connection:
            due: datetime | None = (await connection.execute(statement)).scalar_one_or_none()
        return due

    def given_back(self, claim: Claim, due_at: datetime | None) -> dict[str, Any]:
        """Return the changes that give a row back with the last of a run's own."""
        row = self._table.c
        return {
            "lease_token": None,
            "lease_until": None,
            "attempts": 0,
            "due_at": case((row.wakes == claim.wakes, due_at), else_=row.due_at),
        }

    async def next_due(self) -> datetime | None:
        """Return when the next row can be claimed: due and free, or at the end of its holder's lease."""
        row = self._table.c
        if self._database.is_sqlite:
            # Whatever is held is held by this process, which knows when it ends.
            query = select(func.min(row.due_at)).where(row.lease_until.is_(None))
        else:
            later = case((row.lease_until > row.due_at, row.lease_until), else_=row.due_at)
            query = select(func.min(later, type_=row.due_at.type)).where(row.due_at.is_not(None))
        async with self._database.reading() as connection:
            found: datetime | None = await connection.scalar(query)
        return found

    async def clear(self) -> None:
        """End the leases of a former life (SQLite: one process only, so they are all dead)."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(self._table).where(self._table.c.lease_until.is_not(None)).values(lease_until=None)
            )


async def wake(connection: Connection, table: Table, row_id: str, now: datetime) -> None:
    """Make a row due at once, also when somebody is working on it, within the caller's transaction."""
    changed: dict[str, Any] = {"due_at": now, "wakes": table.c.wakes + 1}
    await connection.execute(update(table).where(table.c.id == row_id).values(**changed))
    announce(connection, table)
