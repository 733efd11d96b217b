"""Changes without a charge that wait for a confirmation, so that exactly what was shown is done."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from bot.storage.tables import pending_confirmations

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Account, Identity
    from bot.storage.database import Database

PENDING_LIFE = timedelta(minutes=15)


class PendingConfirmations:
    """Each is stored when it is shown. The same person can take it once, within PENDING_LIFE."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, identity: Identity, account: Account, kind: str, facts: str) -> str:
        """Store what is shown, and for which account; return the id for the modal."""
        confirmation = secrets.token_hex(8)
        async with self._database.transaction() as connection:
            await connection.execute(
                insert(pending_confirmations).values(
                    id=confirmation,
                    owner=identity.key,
                    kind=kind,
                    facts=json.dumps([account.account_id, account.organization_id, facts]),
                    created_at=self._database.clock.now(),
                )
            )
        return confirmation

    async def take(self, identity: Identity, account: Account, kind: str, confirmation: str) -> str | None:
        """Return what was shown, once.

        Return None if it belongs to another person or account, is too old, or was taken before.
        """
        row = pending_confirmations.c
        statement = (
            delete(pending_confirmations)
            .where(
                row.id == confirmation,
                row.owner == identity.key,
                row.kind == kind,
                row.created_at > self._database.clock.now() - PENDING_LIFE,
            )
            .returning(row.facts)
        )
        async with self._database.transaction() as connection:
            stored: str | None = (await connection.execute(statement)).scalar_one_or_none()
        match json.loads(stored or "null"):
            case [account.account_id, account.organization_id, str(facts)]:
                return facts
            case _:  # includes rows of the previous release
                return None

    async def delete_old(self, *, before: datetime) -> None:
        """Delete what was shown before then and never taken."""
        async with self._database.transaction() as connection:
            await connection.execute(
                delete(pending_confirmations).where(pending_confirmations.c.created_at < before)
            )
