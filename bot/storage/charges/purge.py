"""Anonymizes old charges. Amounts, outcomes, times and the portal's id are kept."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from bot.domain.audit import Action
from bot.domain.charge import Charge
from bot.storage.tables import charges, deliveries, messages

if TYPE_CHECKING:
    from datetime import datetime

    from bot.storage.database import Database

FORGOTTEN = "forgotten"
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
        and not field.metadata.get("kept")
        and str(field.type).removesuffix(" | None") not in _FACTS
    }
    empty = {name: None if charges.c[name].nullable else "" for name in sorted(names)}
    return {**empty, "owner": FORGOTTEN}


_PERSONAL = personal_columns()
_DELIVERY = {
    "enterprise": "",
    "team": "",
    "user": "",
    "owner": FORGOTTEN,
    "sealed_place": None,
    "channel": None,
    "ts": None,
    "view_id": None,
    "due_at": None,
}
_MESSAGE = {"channel": None, "ts": None, "view_id": None, "due_at": None}


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
            await transaction.execute(update(charges).where(row.id.in_(ids)).values(**_PERSONAL))
            await transaction.execute(
                update(deliveries).where(deliveries.c.id.in_(ids)).values(**_DELIVERY)
            )
            await transaction.execute(update(messages).where(messages.c.id.in_(ids)).values(**_MESSAGE))
            await transaction.record(
                Action.PURGE, actor="app", subject="charges", result="purged", facts={"count": len(ids)}
            )
        return len(ids)
