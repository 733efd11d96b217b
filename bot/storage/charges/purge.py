"""Anonymizes old charges, and deletes proposals that were never confirmed.

Amounts, outcomes and times are kept. No id is: the audit log has the ids beside the person.
"""

from __future__ import annotations

import secrets
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, delete, select, update

from bot.domain.audit import Action
from bot.domain.charge import Charge, ChargeState
from bot.domain.identity import FORGOTTEN
from bot.storage.tables import charges, deliveries, messages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.storage.connection import Transaction
    from bot.storage.database import Database

BATCH = 200
_FACTS = ("datetime", "Decimal", "int", "ChargeKind", "ChargeState", "FailureReason", "RefusalCode")
"""Types that contain no personal data. All other fields are purged unless marked as kept."""


def personal_columns() -> dict[str, Any]:
    """Return the purge's values: None for a nullable column, else the empty text."""
    names = {"enterprise", "team", "user", "card"}
    names |= {
        field.name
        for field in fields(Charge)
        if field.name != "identity"
        and not field.metadata
        and str(field.type).removesuffix(" | None") not in _FACTS
    }
    empty = {name: None if charges.c[name].nullable else "" for name in sorted(names)}
    return {**empty, "owner": FORGOTTEN}


_PERSONAL = personal_columns()
_FORGET = (
    update(charges)
    .where(charges.c.id == bindparam("this", type_=String))
    .values(
        **_PERSONAL,
        id=bindparam("new_id", type_=String),
        idempotency_key=bindparam("new_key", type_=String),
    )
)


def _new_ids() -> dict[str, str]:
    return {"new_id": secrets.token_hex(8), "new_key": secrets.token_hex(16)}


async def forget_charges(transaction: Transaction, ids: Sequence[str]) -> None:
    """Anonymize these charges, and delete their messages."""
    for table in (deliveries, messages):
        await transaction.execute(delete(table).where(table.c.id.in_(ids)))
    if ids:
        await transaction.execute(_FORGET, [{"this": each, **_new_ids()} for each in ids])


class ChargePurge:
    """Anonymizes charges, in batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget_people(self, *, before: datetime) -> int:
        """Anonymize a batch of charges that were created before then and need no more work.

        Return how many were anonymized, 0 if none is left.
        """
        row = charges.c
        held = [select(each.c.id).where(each.c.lease_token.is_not(None)) for each in (deliveries, messages)]
        old = (
            select(row.id)
            .where(
                row.owner != FORGOTTEN,
                row.created_at < before,
                row.due_at.is_(None),
                row.lease_token.is_(None),
                *(row.id.not_in(ids) for ids in held),
            )
            .order_by(row.created_at)
            .limit(BATCH)
        )
        async with self._database.transaction() as transaction:
            ids = (await transaction.execute(old)).scalars().all()
            if not ids:
                return 0
            await forget_charges(transaction, ids)
            await transaction.record(
                Action.PURGE, actor="app", subject="charges", result="purged", facts={"count": len(ids)}
            )
        return len(ids)

    async def delete_unconfirmed(self, *, before: datetime) -> None:
        """Delete proposals that were made before then, were never confirmed, and need no more work."""
        row = charges.c
        async with self._database.transaction() as transaction:
            await transaction.execute(
                delete(charges).where(
                    row.created_at < before,
                    row.confirmed_at.is_(None),
                    row.state.in_([ChargeState.EXPIRED.value, ChargeState.CANCELLED.value]),
                    row.due_at.is_(None),
                    row.lease_token.is_(None),
                )
            )
