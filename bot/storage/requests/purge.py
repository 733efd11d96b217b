"""Deletes requests that ended long ago, with what people wrote in them, their votes and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists

from bot.domain.request import RequestState
from bot.storage.requests.rows import REQUEST
from bot.storage.tables import deliveries, requests
from bot.storage.team_tables import policy_changes, votes

if TYPE_CHECKING:
    from datetime import datetime

    from bot.storage.database import Database


_IN_WORK = (RequestState.OPEN.value, RequestState.CHARGING.value)


class RequestPurge:
    """The audit log keeps what was asked and decided, with hashes in place of the reasons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_ended(self, *, before: datetime) -> int:
        """Delete the requests that were filed before then and need no more work; return how many.

        With them go proposals to change a policy that ended before then. Policies stay: one is valid only
        if every version is there.
        """
        row, shown = requests.c, deliveries.c
        async with self._database.transaction() as transaction:
            deleted = await transaction.execute(
                delete(requests).where(
                    row.asked_at < before,
                    row.state.not_in(_IN_WORK),
                    row.due_at.is_(None),
                    row.lease_token.is_(None),
                )
            )
            gone = ~exists().where(row.id == votes.c.request_id)
            await transaction.execute(delete(votes).where(votes.c.at < before, gone))
            ended = (policy_changes.c.expires_at < before, policy_changes.c.proposed_at < before)
            await transaction.execute(delete(policy_changes).where(*ended))
            await transaction.execute(
                delete(deliveries).where(
                    shown.subject_kind == REQUEST,
                    shown.due_at.is_(None),
                    shown.lease_token.is_(None),
                    ~exists().where(row.id == shown.subject_id),
                )
            )
        return deleted.rowcount
