"""A workspace that has joined an Enterprise Grid organization takes its people's rows along.

Inside a grid, people and locks are named by the organization instead of the workspace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String, delete, literal, select, update

from bot.domain.audit import Action
from bot.domain.request import GOING_ON, Withdrawal
from bot.storage.charges.rows import charge_of
from bot.storage.cipher import SealBrokenError
from bot.storage.columns import metadata
from bot.storage.locks import LockStore
from bot.storage.policies import move_policies
from bot.storage.requests.leaving import withdraw_where
from bot.storage.requests.rows import IS_GOING_ON, request_of
from bot.storage.rotation import SEALED
from bot.storage.signatures import is_agreed, sign
from bot.storage.tables import charges, installations, locks, requests
from bot.storage.watches import move_watches

if TYPE_CHECKING:
    from sqlalchemy import Row, Table

    from bot.domain.installation import Installation
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Transaction
    from bot.storage.database import Database


class TenantMoves:
    """Renames the rows of a workspace that has joined a grid."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    async def move_into_grid(self, installation: Installation) -> None:
        """Rename a workspace's people and lock to its organization, if it has one.

        What was stored for the organization since stays. A charge whose signature does not verify keeps it,
        so that nothing more is sent for it. It is safe to repeat.
        """
        team, enterprise = installation.team, installation.enterprise
        if not team or not enterprise:
            return
        async with self._database.transaction() as transaction:
            turn = select(literal(f"move:{team}", String))
            await transaction.execute(select(self._database.backend.take_turns(turn)))
            former = (installations.c.enterprise == "", installations.c.team == team)
            await transaction.execute(delete(installations).where(*former))
            rows = 0
            for table in metadata.sorted_tables:
                if "owner" in table.c and table is not installations:
                    rows += await _move_rows(transaction, self._cipher, table, team, enterprise)
            rows += await _move_lock(self._database, transaction, self._cipher, team, enterprise)
            rows += await move_policies(transaction, self._cipher, team, enterprise)
            rows += await move_watches(transaction, team, enterprise)
            if rows:
                await transaction.record(
                    Action.INSTALL,
                    actor="slack",
                    subject=installation.key,
                    result="moved",
                    facts={"rows": rows},
                )


async def _move_rows(
    transaction: Transaction, cipher: Cipher, table: Table, team: str, enterprise: str
) -> int:
    own = table.c.owner.startswith(f"{team}:", autoescape=True)
    rows = (await transaction.execute(select(table).where(own))).all()
    if not rows:
        return 0
    for row in rows:
        owner = f"{enterprise}:{row.owner.partition(':')[2]}"
        this = [column == getattr(row, column.key) for column in table.primary_key]
        if await _is_taken(transaction, table, row, owner):
            await transaction.execute(delete(table).where(*this))
            continue
        if table is requests and not await _make_room(transaction, row, owner):
            continue
        values = {"owner": owner, **_sealed_for(cipher, table, row, owner)}
        values |= {name: enterprise for name in ("enterprise", "tenant") if name in table.c}
        await transaction.execute(update(table).where(*this).values(values))
        if table is charges:
            await _sign_for(transaction, cipher, row)
    return len(rows)


async def _is_taken(transaction: Transaction, table: Table, row: Row[Any], owner: str) -> bool:
    """Tell whether the owner's new name has this row already; a row with an id of its own never is."""
    key = table.primary_key.columns
    if table.c.owner not in set(key):
        return False
    same = [column == (owner if column.key == "owner" else getattr(row, column.key)) for column in key]
    return (await transaction.execute(select(table.c.owner).where(*same))).first() is not None


async def _make_room(transaction: Transaction, row: Row[Any], owner: str) -> bool:
    """Withdraw one of two requests for the same that would both go on; return False if neither can be."""
    if request_of(row).state not in GOING_ON:
        return True
    twin = (
        requests.c.owner == owner,
        requests.c.base_url == row.base_url,
        requests.c.organization_id == row.organization_id,
        requests.c.amount == row.amount,
        IS_GOING_ON,
    )
    if (await transaction.execute(select(requests.c.id).where(*twin))).first() is None:
        return True
    if await withdraw_where(transaction, Withdrawal.LEFT, requests.c.id == row.id):
        return True
    return bool(await withdraw_where(transaction, Withdrawal.LEFT, *twin))


def _sealed_for(cipher: Cipher, table: Table, row: Row[Any], owner: str) -> dict[str, Any]:
    """Return the row's secrets encrypted for its new owner; those that no key opens stay."""
    values: dict[str, Any] = {}
    for column in SEALED:
        sealed = getattr(row, column.key) if column.table is table else None
        if sealed is not None:
            try:
                values[column.key] = cipher.seal(owner, cipher.open(row.owner, sealed))
            except SealBrokenError:
                continue
    return values


async def _sign_for(transaction: Transaction, cipher: Cipher, row: Row[Any]) -> None:
    """Sign a charge for its new owner, if its signature for the former one verifies."""
    before = charge_of(row)
    if is_agreed(cipher, before):
        moved = (await transaction.execute(select(charges).where(charges.c.id == before.id))).one()
        await sign(transaction, cipher, charge_of(moved))


async def _move_lock(
    database: Database, transaction: Transaction, cipher: Cipher, team: str, enterprise: str
) -> int:
    locks_of = LockStore(database, cipher)
    if (lock := await locks_of.read(transaction, team)) is None:
        return 0
    if await locks_of.read(transaction, enterprise) is not None:
        return 0
    by = f"{enterprise}:{lock.locked_by.user}"
    await transaction.execute(delete(locks).where(locks.c.tenant == team))
    await transaction.execute(
        database.backend.insert(locks).values(
            tenant=enterprise, locked_by=by, locked_at=lock.locked_at, reason=lock.reason
        )
    )
    await transaction.record(
        Action.LOCK,
        at=lock.locked_at,
        actor=by,
        subject=enterprise,
        result="locked",
        facts={"reason": lock.reason},
    )
    return 1
