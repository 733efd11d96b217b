"""The store of spending locks: one row per locked workspace or organization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select

from bot.domain.audit import Action
from bot.domain.identity import Identity
from bot.domain.rules import Lock
from bot.storage.batch_loader import BatchLoader
from bot.storage.tables import locks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from bot.storage.database import Database


_OF_TENANTS = select(locks).where(locks.c.tenant.in_(bindparam("tenants", expanding=True)))


class LockStore:
    """The spending locks. They are not cached, so that a lock works in all processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loader = BatchLoader(self._read_all)

    async def get(self, tenant: str) -> Lock | None:
        """Return the lock of a workspace or organization; None if there is none."""
        return await self._loader.get(tenant)

    async def _read_all(self, tenants: Sequence[str]) -> Mapping[str, Lock]:
        async with self._database.read() as connection:
            rows = await connection.execute(_OF_TENANTS, {"tenants": tenants})
            return {row.tenant: _lock(row) for row in rows}

    async def put(self, lock: Lock) -> tuple[Lock, bool]:
        """Store a lock unless there is one; return the current lock, and whether it is new."""
        tenant, owner = lock.locked_by.tenant, lock.locked_by.key
        statement = self._database.backend.insert(locks).values(
            tenant=tenant, locked_by=owner, locked_at=lock.locked_at, reason=lock.reason
        )
        async with self._database.transaction() as connection:
            created = await connection.execute(
                statement.on_conflict_do_nothing(index_elements=[locks.c.tenant])
            )
            await connection.record(
                Action.LOCK,
                at=lock.locked_at,
                actor=owner,
                subject=tenant,
                result="locked" if created.rowcount else "was locked",
                facts={"reason": lock.reason},
            )
            row = (await connection.execute(select(locks).where(locks.c.tenant == tenant))).one()
        return _lock(row), bool(created.rowcount)

    async def remove(self, identity: Identity) -> Lock | None:
        """Remove the lock and return it; None if there was none."""
        async with self._database.transaction() as connection:
            statement = delete(locks).where(locks.c.tenant == identity.tenant).returning(locks)
            row = (await connection.execute(statement)).one_or_none()
            await connection.record(
                Action.UNLOCK,
                actor=identity.key,
                subject=identity.tenant,
                result="unlocked" if row is not None else "was not locked",
            )
        return None if row is None else _lock(row)


def _lock(row: Row[Any]) -> Lock:
    tenant, _, user = row.locked_by.partition(":")
    return Lock(
        locked_by=Identity(enterprise="", team=tenant, user=user),
        locked_at=row.locked_at,
        reason=row.reason,
    )
