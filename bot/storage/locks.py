"""Where spending is stopped: one row a workspace or organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select

from bot.domain.audit import Action
from bot.domain.identity import Identity
from bot.domain.rules import Lock
from bot.storage.audit import record
from bot.storage.gathering import Gathered
from bot.storage.tables import locks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from bot.storage.database import Database


_OF_HOMES = select(locks).where(locks.c.home.in_(bindparam("homes", expanding=True)))


class LockStore:
    """The locks. Each question asks the database: a lock holds for all processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathered = Gathered(self._read_all)

    async def get(self, home: str) -> Lock | None:
        """Return the lock of a workspace or organisation."""
        return await self._gathered.get(home)

    async def _read_all(self, homes: Sequence[str]) -> Mapping[str, Lock]:
        async with self._database.reading() as connection:
            rows = await connection.execute(_OF_HOMES, {"homes": homes})
            return {row.home: _lock(row) for row in rows}

    async def put(self, lock: Lock) -> tuple[Lock, bool]:
        """Lock where there is no lock yet; return the one that holds, and whether it is this one."""
        home, owner = lock.locked_by.home, lock.locked_by.key
        statement = self._database.insert(locks).values(
            home=home, locked_by=owner, locked_at=lock.locked_at, reason=lock.reason
        )
        async with self._database.transaction() as connection:
            made = await connection.execute(statement.on_conflict_do_nothing(index_elements=[locks.c.home]))
            await record(
                connection,
                lock.locked_at,
                Action.LOCK,
                actor=owner,
                subject=home,
                result="locked" if made.rowcount else "was locked",
                reason=lock.reason,
            )
            row = (await connection.execute(select(locks).where(locks.c.home == home))).one()
        return _lock(row), bool(made.rowcount)

    async def remove(self, identity: Identity) -> Lock | None:
        """Unlock; return the lock that held, None where there was none."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            statement = delete(locks).where(locks.c.home == identity.home).returning(locks)
            row = (await connection.execute(statement)).one_or_none()
            await record(
                connection,
                now,
                Action.UNLOCK,
                actor=identity.key,
                subject=identity.home,
                result="unlocked" if row is not None else "was not locked",
            )
        return None if row is None else _lock(row)


def _lock(row: Row[Any]) -> Lock:
    home, _, user = row.locked_by.partition(":")
    return Lock(
        locked_by=Identity(enterprise="", team=home, user=user),
        locked_at=row.locked_at,
        reason=row.reason,
    )
