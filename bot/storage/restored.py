"""What must be assumed of a ledger that was restored from a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, update

from bot.domain.audit import Action
from bot.domain.charge import ChargeState
from bot.domain.request import RequestState, Withdrawal
from bot.storage.requests.leaving import withdraw_where
from bot.storage.tables import charges, requests

if TYPE_CHECKING:
    from bot.storage.database import Database


async def mark_restored(database: Database) -> tuple[int, int]:
    """Mark what was under way in the copy as maybe sent, and end what was not confirmed yet.

    After the copy was made, a confirmed purchase may have been sent, a proposal may have been confirmed and
    sent, and an open request may have been paid. Return how many were marked, and how many were ended.
    """
    row = charges.c
    waits = row.state.in_([ChargeState.CONFIRMED.value, ChargeState.NEEDS_SCOPE.value])
    async with database.transaction() as transaction:
        since = func.coalesce(row.ambiguous_since, transaction.now(), type_=row.ambiguous_since.type)
        marked = await transaction.execute(update(charges).where(waits).values(ambiguous_since=since))
        ended = await transaction.execute(
            update(charges)
            .where(row.state == ChargeState.PROPOSED.value)
            .values(state=ChargeState.EXPIRED.value, ended_at=transaction.now(), due_at=None)
        )
        asked = await withdraw_where(transaction, Withdrawal.RESTORED)
        # If their charge adds nothing, they are not open again: somebody else may have paid them since.
        charging = requests.c.state == RequestState.CHARGING.value
        await transaction.execute(
            update(requests).where(charging).values(withdrawn_why=Withdrawal.RESTORED.value)
        )
        await transaction.record(
            Action.RESTORE,
            actor="operator",
            subject="charges",
            result="restored",
            facts={"maybe_sent": marked.rowcount, "ended": ended.rowcount + asked},
        )
    return marked.rowcount, ended.rowcount + asked
