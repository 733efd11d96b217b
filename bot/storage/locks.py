"""The store of spending locks: one row per locked workspace or organization.

The audit log counts too: a person who can write to the database could delete a lock's row. So a lock holds
until a signed unlock follows it in the log.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import simplejson
from sqlalchemy import bindparam, delete, literal_column, select

from bot.domain.audit import Action
from bot.domain.identity import Identity
from bot.domain.rules import Lock, Unlock
from bot.storage.batch_loader import BatchLoader
from bot.storage.tables import audit, locks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database

    Announce = Callable[[Transaction, Lock], Awaitable[None]]

UNLOCKED = ("unlocked", "was not locked")
_OF_TENANTS = select(locks).where(locks.c.tenant.in_(bindparam("tenants", expanding=True)))
_WORDS = (
    select(audit)
    .where(
        # Literals, because the partial index needs them.
        audit.c.action.in_([literal_column("'lock'"), literal_column("'unlock'")]),
        audit.c.subject.in_(bindparam("tenants", expanding=True)),
    )
    .order_by(audit.c.id)
)


class LockStore:
    """The spending locks. They are not cached, so that a lock works in all processes at once."""

    def __init__(self, database: Database, cipher: Cipher, announce: Announce | None = None) -> None:
        """`announce` is called with each lock that begins or ends, within the transaction."""
        self._database = database
        self._cipher = cipher
        self._announce = announce
        self._loader = BatchLoader(self._read_all)

    async def get(self, tenant: str) -> Lock | None:
        """Return the lock of a workspace or organization; None if there is none."""
        return await self._loader.get(tenant)

    async def read(self, transaction: Transaction, tenant: str) -> Lock | None:
        """Return the lock as this transaction sees it."""
        return (await self._locks(transaction, [tenant])).get(tenant)

    async def _read_all(self, tenants: Sequence[str]) -> Mapping[str, Lock]:
        async with self._database.read() as connection:
            return await self._locks(connection, tenants)

    async def _locks(self, connection: Connection, tenants: Sequence[str]) -> dict[str, Lock]:
        found: dict[str, Lock] = {}
        for entry in await connection.execute(_WORDS, {"tenants": tenants}):
            if entry.action == Action.LOCK.value:
                found.setdefault(entry.subject, _locked_by(entry))
            elif entry.subject in found and self._is_unlock(entry, found[entry.subject].locked_at):
                del found[entry.subject]
        rows = await connection.execute(_OF_TENANTS, {"tenants": tenants})
        return {**found, **{row.tenant: _lock(row) for row in rows}}

    def _is_unlock(self, entry: Row[Any], locked_at: datetime) -> bool:
        """Tell whether an unlock is signed, and is not a copy of one from before the lock."""
        signature = simplejson.loads(entry.facts).get("signature")
        facts = _unlock_facts(entry.subject, entry.actor, entry.at)
        return bool(entry.at >= locked_at and self._cipher.is_signed(signature, *facts))

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
            if created.rowcount and self._announce is not None:
                await self._announce(connection, lock)
        return _lock(row), bool(created.rowcount)

    async def story(self, tenant: str, locked_at: datetime) -> tuple[Lock, Unlock | None] | None:
        """Return the lock of that moment and how it ended; None if there is no such lock."""
        async with self._database.read() as connection:
            entries = (await connection.execute(_WORDS, {"tenants": [tenant]})).all()
        lock: Lock | None = None
        for entry in entries:
            if entry.action == Action.LOCK.value and entry.at == locked_at:
                lock = _locked_by(entry)
            elif lock is not None and self._is_unlock(entry, locked_at):
                return lock, Unlock(by=entry.actor.partition(":")[2], at=entry.at)
        return None if lock is None else (lock, None)

    async def remove(self, identity: Identity) -> Lock | None:
        """Remove the lock and return it; None if there was none."""
        tenant = identity.tenant
        async with self._database.transaction() as transaction:
            lock = await self.read(transaction, tenant)
            await transaction.execute(delete(locks).where(locks.c.tenant == tenant))
            result = UNLOCKED[0] if lock is not None else UNLOCKED[1]
            # Never before the lock, whatever the clocks of two processes say.
            at = transaction.now() if lock is None else max(transaction.now(), lock.locked_at)
            await record_unlock(transaction, self._cipher, tenant, identity.key, result=result, at=at)
            if lock is not None and self._announce is not None:
                # Who locked it is stored without a workspace; the other is in the same tenant.
                by = replace(identity, user=lock.locked_by.user)
                await self._announce(transaction, replace(lock, locked_by=by))
        return lock


async def record_unlock(
    transaction: Transaction, cipher: Cipher, tenant: str, actor: str, *, result: str, at: datetime
) -> None:
    """Record a signed unlock in the audit log; only such an entry ends a lock."""
    signature = cipher.sign(*_unlock_facts(tenant, actor, at))
    await transaction.record(
        Action.UNLOCK, at=at, actor=actor, subject=tenant, result=result, facts={"signature": signature}
    )


def _unlock_facts(tenant: str, actor: str, at: datetime) -> tuple[str, ...]:
    return "unlock", tenant, actor, at.astimezone(UTC).isoformat(timespec="microseconds")


def _locked_by(entry: Row[Any]) -> Lock:
    tenant, _, user = entry.actor.partition(":")
    return Lock(
        locked_by=Identity(enterprise="", team=tenant, user=user),
        locked_at=entry.at,
        reason=simplejson.loads(entry.facts).get("reason"),
    )


def _lock(row: Row[Any]) -> Lock:
    tenant, _, user = row.locked_by.partition(":")
    return Lock(
        locked_by=Identity(enterprise="", team=tenant, user=user),
        locked_at=row.locked_at,
        reason=row.reason,
    )
