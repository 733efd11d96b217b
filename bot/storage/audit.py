"""The audit log. An entry is written in the transaction of its action, and later sealed into a hash chain.

Sealing is a separate step in batches, because a chain has one end. If every money transaction wrote to
that end, all transactions in all processes would wait for one another.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import simplejson
from sqlalchemy import exists, func, insert, select

from bot.domain.audit import Action, AuditEntry
from bot.domain.charge import ChargeState
from bot.domain.identity import FORGOTTEN
from bot.storage.tables import audit, audit_seals, charges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from bot.storage.connection import Connection
    from bot.storage.database import Database

GENESIS = "0" * 64
BATCH = 500
LATE = 10_000
"""How far behind the highest id an entry may be committed; a transaction takes seconds."""

SEAL_WITHIN = timedelta(minutes=5)
"""How long an entry may stay unsealed; a worker seals every two seconds."""

_SEALING = "seal the audit log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """An entry's place in the chain: `digest` covers it and all entries before it."""

    number: int
    digest: str
    entry: AuditEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The result: the sealed entries, the last digest, the unsealed entries, and a fault, if any."""

    sealed: int
    head: str
    waiting: int
    broken: str | None = None
    late_since: datetime | None = None
    """Since when entries have waited longer for their seal than they do while a worker runs (UTC)."""

    unknown: tuple[str, ...] = ()
    """Ids of confirmed charges in the ledger that the log does not know."""


def digest_of(previous: str, entry: AuditEntry) -> str:
    """Return the digest (SHA-256, hex) of an entry that follows the digest `previous`."""
    sealed_fields = {**asdict(entry), "at": entry.at.isoformat()}
    return hashlib.sha256(
        f"{previous}\n{simplejson.dumps(sealed_fields, sort_keys=True)}".encode()
    ).hexdigest()


class AuditStore:
    """Reads, writes and seals the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, action: Action, *, actor: str, subject: str, result: str, **facts: object
    ) -> None:
        """Write an entry in its own transaction, for an action that changes nothing in our database."""
        async with self._database.transaction() as transaction:
            await transaction.record(action, actor=actor, subject=subject, result=result, facts=facts)

    async def seal(self, *, everything: bool = False) -> Seal | None:
        """Seal up to BATCH entries; return the last seal made, None if there was none.

        Only one process seals at a time. `everything` includes old entries, not only the latest.
        """
        async with self._database.transaction() as connection:
            if not await self._database.backend.try_turn(connection, _SEALING):
                return None
            number, digest, entry = await _head(connection)
            after = 0 if everything else entry - LATE
            seals = _chain(number, digest, await _unsealed(connection, after))
            if seals:
                await connection.execute(
                    insert(audit_seals),
                    [{"number": s.number, "entry": s.entry.id, "digest": s.digest} for s in seals],
                )
        return seals[-1] if seals else None

    async def verify(self, *, expected: str | None = None) -> Verification:
        """Verify the whole chain. `expected` is a digest seen before, which must still be in it.

        Without `expected`, a log that was rewritten up to its end looks like a valid one.
        """
        head, number, seen, broken = GENESIS, 0, expected in {None, GENESIS}, None
        async for place, digest, entry in self._seals():
            if place != number + 1:
                broken = f"entry {number + 1} is missing"
            elif entry is None or digest_of(head, entry) != digest:
                broken = f"entry {place} is not what was sealed"
            if broken is not None:
                break
            number, head = place, digest
            seen = seen or head == expected
        if broken is None and not seen:
            broken = "the expected head is not in the log"
        waiting, since = await self._waiting()
        is_late = since is not None and self._database.clock.now() - since > SEAL_WITHIN
        return Verification(
            sealed=number,
            head=head,
            waiting=waiting,
            broken=broken,
            late_since=since if is_late else None,
            unknown=await self._unknown(),
        )

    async def _unknown(self) -> tuple[str, ...]:
        """Return confirmed charges without their entry, from the first entry on."""
        row, known = charges.c, audit.alias("known")
        query = (
            select(row.id)
            .where(
                row.owner != FORGOTTEN,
                row.confirmed_at > select(func.min(audit.c.at, type_=audit.c.at.type)).scalar_subquery(),
                ~exists().where(
                    known.c.subject == row.id,
                    known.c.action == Action.CHARGE.value,
                    known.c.result == ChargeState.CONFIRMED.value,
                ),
            )
            .order_by(row.id)
        )
        async with self._database.read() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def _waiting(self) -> tuple[int, datetime | None]:
        """Return how many entries are unsealed, and since when (UTC)."""
        query = (
            select(func.count(), func.min(audit.c.at, type_=audit.c.at.type))
            .select_from(audit.outerjoin(audit_seals, audit_seals.c.entry == audit.c.id))
            .where(audit_seals.c.number.is_(None))
        )
        async with self._database.transaction() as connection:
            count, since = (await connection.execute(query)).one()
        return count, since

    async def _seals(self) -> AsyncIterator[tuple[int, str, AuditEntry | None]]:
        """Yield every seal with its entry in the chain's order; the entry is None if it is gone."""
        number = 0
        while True:
            query = (
                select(audit_seals.c.number, audit_seals.c.digest, audit)
                .select_from(audit_seals.outerjoin(audit, audit.c.id == audit_seals.c.entry))
                .where(audit_seals.c.number > number)
                .order_by(audit_seals.c.number)
                .limit(BATCH)
            )
            async with self._database.transaction() as connection:
                rows = (await connection.execute(query)).all()
            for row in rows:
                yield row.number, row.digest, None if row.id is None else _entry(row)
            if not rows:
                return
            number = rows[-1].number

    async def digest_at(self, number: int) -> tuple[str | None, int]:
        """Return the digest of the seal with this number, None if there is none; and the last number."""
        query = select(audit_seals.c.digest).where(audit_seals.c.number == number)
        async with self._database.read() as connection:
            last, _, _ = await _head(connection)
            return await connection.scalar(query), last

    async def sealed(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Seal]:
        """Yield the sealed entries in the chain's order, from `since` until before `until`."""
        async for number, digest, entry in self._seals():
            if entry is None or (since and entry.at < since) or (until and entry.at >= until):
                continue
            yield Seal(number=number, digest=digest, entry=entry)


async def _head(connection: Connection) -> tuple[int, str, int]:
    """Return the last seal's number and digest, and the highest sealed entry's id."""
    last = select(audit_seals.c.number, audit_seals.c.digest).order_by(audit_seals.c.number.desc()).limit(1)
    row = (await connection.execute(last)).one_or_none()
    if row is None:
        return 0, GENESIS, 0
    return row.number, row.digest, await connection.scalar(select(func.max(audit_seals.c.entry))) or 0


async def _unsealed(connection: Connection, after: int) -> Sequence[AuditEntry]:
    query = (
        select(audit)
        .outerjoin(audit_seals, audit_seals.c.entry == audit.c.id)
        .where(audit_seals.c.number.is_(None), audit.c.id > after)
        .order_by(audit.c.id)
        .limit(BATCH)
    )
    # At the start this scans the whole log, which may take half a second.
    rows = await connection.run_sync(lambda plain: plain.execute(query).all())
    return [_entry(row) for row in rows]


def _chain(number: int, digest: str, entries: Sequence[AuditEntry]) -> list[Seal]:
    seals: list[Seal] = []
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
        facts=row.facts,
    )
