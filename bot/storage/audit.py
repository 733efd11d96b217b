"""The audit log: written with what it tells of, in one transaction, and then sealed into a hash chain.

Sealing comes a moment later and in batches, because a chain has one end: to write that in every money
transaction would have all of them, in all processes, wait for one another.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import simplejson
from sqlalchemy import func, insert, select

from bot.domain.audit import AuditEntry, acting_from
from bot.storage.tables import audit, audit_seals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from bot.domain.audit import Action
    from bot.storage.database import Database

GENESIS = "0" * 64
BATCH = 500
OVERLAP = timedelta(hours=1)
"""How much later than its own time an entry may have been committed."""

_SEALING = 0x61_75_64_69


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """An entry's place in the chain: `digest` covers it and all entries before it."""

    number: int
    digest: str
    entry: AuditEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What was found: how many entries are sealed, the last digest, how many wait, and what is broken."""

    sealed: int
    head: str
    waiting: int
    broken: str | None = None


async def record(
    connection: AsyncConnection,
    at: datetime,
    action: Action,
    *,
    actor: str,
    subject: str,
    result: str,
    **facts: object,
) -> None:
    """Write an entry within the transaction of what it tells of. Facts without a value are left out."""
    told = {name: str(value) for name, value in facts.items() if value is not None}
    await connection.execute(
        insert(audit).values(
            at=at,
            actor=actor,
            action=action.value,
            subject=subject,
            result=result,
            origin=acting_from.get(),
            facts=simplejson.dumps(told, sort_keys=True),
        )
    )


def digest_of(previous: str, entry: AuditEntry) -> str:
    """Return the digest (SHA-256, hex) of an entry that follows the one with the digest `previous`."""
    told = {**asdict(entry), "at": entry.at.isoformat()}
    return hashlib.sha256(f"{previous}\n{simplejson.dumps(told, sort_keys=True)}".encode()).hexdigest()


class AuditStore:
    """Reads, writes and seals the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, action: Action, *, actor: str, subject: str, result: str, **facts: object) -> None:
        """Write an entry of its own."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            await record(connection, now, action, actor=actor, subject=subject, result=result, **facts)

    async def seal(self, *, everything: bool = False) -> Seal | None:
        """Seal what is not sealed yet, a batch at most; return the last seal made, None without any.

        Processes take turns. `everything` looks at all entries, not at the latest hour's alone.
        """
        async with self._database.transaction() as connection:
            if not self._database.is_sqlite:
                mine = await connection.scalar(select(func.pg_try_advisory_xact_lock(_SEALING)))
                if not mine:
                    return None
            last = await _last(connection)
            since = None if last is None or everything else last.entry.at - OVERLAP
            seals = _chain(last, await _unsealed(connection, since))
            if seals:
                await connection.execute(
                    insert(audit_seals),
                    [{"number": s.number, "entry": s.entry.id, "digest": s.digest} for s in seals],
                )
        return seals[-1] if seals else None

    async def verify(self, *, expected: str | None = None) -> Verification:
        """Go through the whole chain. `expected` is a digest seen before, which must still be in it.

        Without one, a log that was rewritten from some entry to its end cannot be told from a true one.
        """
        head, number, seen = GENESIS, 0, expected in {None, GENESIS}
        async for seal in self.sealed():
            if seal.number != number + 1:
                return await self._found(number, head, f"entry {number + 1} is missing")
            number = seal.number
            if digest_of(head, seal.entry) != seal.digest:
                return await self._found(number - 1, head, f"entry {number} is not what was sealed")
            head = seal.digest
            seen = seen or head == expected
        return await self._found(number, head, None if seen else "the expected digest is not in the log")

    async def _found(self, sealed: int, head: str, broken: str | None) -> Verification:
        async with self._database.transaction() as connection:
            entries = await connection.scalar(select(func.count()).select_from(audit))
            seals = await connection.scalar(select(func.count()).select_from(audit_seals))
        waiting = (entries or 0) - (seals or 0)
        if broken is None and waiting < 0:
            broken = "an entry that was sealed is gone"
        return Verification(sealed=sealed, head=head, waiting=max(0, waiting), broken=broken)

    async def sealed(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Seal]:
        """Return the sealed entries in the chain's order, from `since` until before `until`."""
        number = 0
        while True:
            query = (
                select(audit_seals.c.number, audit_seals.c.digest, audit)
                .join(audit, audit.c.id == audit_seals.c.entry)
                .where(audit_seals.c.number > number)
                .order_by(audit_seals.c.number)
                .limit(BATCH)
            )
            query = query if since is None else query.where(audit.c.at >= since)
            query = query if until is None else query.where(audit.c.at < until)
            async with self._database.transaction() as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                yield Seal(number=row.number, digest=row.digest, entry=_entry(row))
            if not rows:
                return
            number = rows[-1].number


async def _last(connection: AsyncConnection) -> Seal | None:
    query = (
        select(audit_seals.c.number, audit_seals.c.digest, audit)
        .join(audit, audit.c.id == audit_seals.c.entry)
        .order_by(audit_seals.c.number.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Seal(number=row.number, digest=row.digest, entry=_entry(row))


async def _unsealed(connection: AsyncConnection, since: datetime | None) -> Sequence[AuditEntry]:
    query = (
        select(audit)
        .outerjoin(audit_seals, audit_seals.c.entry == audit.c.id)
        .where(audit_seals.c.number.is_(None))
        .order_by(audit.c.id)
        .limit(BATCH)
    )
    if since is not None:
        query = query.where(audit.c.at >= since)
    return [_entry(row) for row in await connection.execute(query)]


def _chain(last: Seal | None, entries: Sequence[AuditEntry]) -> list[Seal]:
    seals: list[Seal] = []
    number, digest = (last.number, last.digest) if last else (0, GENESIS)
    for each in entries:
        number, digest = number + 1, digest_of(digest, each)
        seals.append(Seal(number=number, digest=digest, entry=each))
    return seals


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        result=row.result,
        origin=row.origin,
        facts=simplejson.loads(row.facts),
    )
