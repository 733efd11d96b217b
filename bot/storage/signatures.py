"""Signs what was under way before this app signed what was agreed, and signs again with a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from bot.domain.audit import Action
from bot.domain.charge import UNFINISHED, ChargeState
from bot.storage.charges.rows import charge_of
from bot.storage.locks import UNLOCKED, LockStore, record_unlock
from bot.storage.policies import sign_policies_again
from bot.storage.requests.votes import sign_votes_again
from bot.storage.tables import audit, charges, locks

if TYPE_CHECKING:
    from bot.domain.charge import Charge
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Transaction
    from bot.storage.database import Database

_UNDER_WAY = select(charges).where(
    charges.c.state.in_([ChargeState.PROPOSED.value, *(state.value for state in UNFINISHED)])
)


async def sign_under_way(transaction: Transaction, cipher: Cipher) -> None:
    """Sign once, at the upgrade, what an earlier release has left unsigned; the audit log says when.

    Whatever is unsigned later was not written by this app.
    """
    unsigned = [charge_of(row) for row in await transaction.execute(_UNDER_WAY)]
    for charge in unsigned:
        await sign(transaction, cipher, charge)
    await transaction.record(
        Action.KEYS,
        actor="operator",
        subject="purchases under way",
        result="signed",
        facts={"count": len(unsigned)},
    )
    for tenant in await _unlocked(transaction):
        await record_unlock(
            transaction, cipher, tenant, "operator", result=UNLOCKED[1], at=transaction.now()
        )


async def sign_again(database: Database, cipher: Cipher) -> int:
    """Sign what is under way with the newest key; return how many rows fail and so are left as they are."""
    failing = 0
    async with database.read() as connection:
        under_way = [charge_of(row) for row in await connection.execute(_UNDER_WAY)]
    for charge in under_way:
        if not is_agreed(cipher, charge):
            failing += 1
            continue
        async with database.transaction() as transaction:
            await sign(transaction, cipher, charge)
    await _sign_unlocks_again(database, cipher)
    async with database.transaction() as transaction:
        await sign_policies_again(transaction, cipher)
        await sign_votes_again(transaction, cipher)
    return failing


async def _sign_unlocks_again(database: Database, cipher: Cipher) -> None:
    """Record an unlock with the newest key wherever spending is unlocked, so that old keys may go."""
    once_locked = select(audit.c.subject).where(audit.c.action == Action.LOCK.value).distinct()
    async with database.read() as connection:
        tenants = (await connection.execute(once_locked)).scalars().all()
    locked = LockStore(database, cipher)
    for tenant in tenants:
        if await locked.get(tenant) is None:
            async with database.transaction() as transaction:
                await record_unlock(
                    transaction, cipher, tenant, "operator", result=UNLOCKED[1], at=transaction.now()
                )


def is_agreed(cipher: Cipher, charge: Charge) -> bool:
    """Tell whether a charge is what was offered to its owner and, unless it is only offered, confirmed."""
    if not cipher.is_signed(charge.offer_signature, *charge.offer):
        return False
    is_offered = charge.state is ChargeState.PROPOSED
    return is_offered or cipher.is_signed(charge.confirmation_signature, *charge.confirmation)


async def sign(transaction: Transaction, cipher: Cipher, charge: Charge) -> None:
    """Sign a charge as it was read; one that has changed since keeps its signatures."""
    confirmed = charge.confirmed_at is not None
    await transaction.execute(
        update(charges)
        .where(
            charges.c.id == charge.id,
            charges.c.amount == charge.amount,
            charges.c.confirmed_at == charge.confirmed_at
            if confirmed
            else charges.c.confirmed_at.is_(None),
        )
        .values(
            offer_signature=cipher.sign(*charge.offer),
            confirmation_signature=cipher.sign(*charge.confirmation) if confirmed else None,
        )
    )


async def _unlocked(transaction: Transaction) -> list[str]:
    """Return the tenants that were locked once and are not locked now."""
    last = (
        select(audit.c.subject, func.max(audit.c.id).label("id"))
        .where(audit.c.action.in_([Action.LOCK.value, Action.UNLOCK.value]))
        .group_by(audit.c.subject)
        .subquery()
    )
    query = (
        select(audit.c.subject)
        .join(last, last.c.id == audit.c.id)
        .outerjoin(locks, locks.c.tenant == audit.c.subject)
        .where(audit.c.result.in_(UNLOCKED), locks.c.tenant.is_(None))
    )
    return list((await transaction.execute(query)).scalars())
