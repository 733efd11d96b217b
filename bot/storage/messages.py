"""Outgoing messages: one per charge, with what is needed to post it exactly once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from bot.engine import LeaseLostError
from bot.storage.leases import LeaseStore
from bot.storage.tables import messages

if TYPE_CHECKING:
    from datetime import datetime

    from bot.engine import Lease
    from bot.storage.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingMessage:
    """Where a charge's message stands.

    `posting_since` (UTC) is set before a post leaves: without a `ts` beside it, the post may or may not
    have arrived. `shown` is a digest of what it says. `reply_state` is the state whose thread reply may
    have been posted, `replied_state` the one whose reply surely was. `view_id` is an open modal to update.
    `posted_at`, `edited_at` and `replied_at` (UTC) tell when that was last recorded.
    """

    id: str
    channel: str | None
    ts: str | None
    posting_since: datetime | None
    shown: str | None
    reply_state: str | None
    replied_state: str | None
    view_id: str | None
    posted_at: datetime | None = None
    edited_at: datetime | None = None
    replied_at: datetime | None = None


_FIELDS = tuple(field.name for field in fields(OutgoingMessage))


class MessageStore:
    """Outgoing messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.leases = LeaseStore(database, messages)

    async def get(self, charge_id: str) -> OutgoingMessage | None:
        """Return the message of a charge."""
        async with self._database.transaction() as connection:
            row = (
                await connection.execute(select(messages).where(messages.c.id == charge_id))
            ).one_or_none()
        if row is None:
            return None
        return OutgoingMessage(**{name: getattr(row, name) for name in _FIELDS})

    async def note(self, lease: Lease, **values: object) -> OutgoingMessage:
        """Record facts under a lease.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        statement = (
            update(messages)
            .where(messages.c.id == lease.id, messages.c.lease_token == lease.token)
            .values(**values)
            .returning(messages)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise LeaseLostError(lease.id)
        return OutgoingMessage(**{name: getattr(row, name) for name in _FIELDS})
