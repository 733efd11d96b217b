"""Outgoing messages: one per charge, with what is needed to post it exactly once."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from bot.domain.message import OutgoingMessage
from bot.engine import LeaseLostError
from bot.storage.database import announce
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges, messages

if TYPE_CHECKING:
    from datetime import datetime

    from bot.engine import Lease
    from bot.storage.database import Database


_FIELDS = tuple(field.name for field in fields(OutgoingMessage))


class MessageStore:
    """Outgoing messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.leases = LeaseStore(database, messages)

    async def get(self, charge_id: str) -> OutgoingMessage | None:
        """Return the message of a charge."""
        async with self._database.reading() as connection:
            row = (
                await connection.execute(select(messages).where(messages.c.id == charge_id))
            ).one_or_none()
        if row is None:
            return None
        return OutgoingMessage(**{name: getattr(row, name) for name in _FIELDS})

    async def close_modal(self, lease: Lease, view_id: str) -> None:
        """Forget a modal that got its last word; one that was opened meanwhile stays."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(messages)
                .where(
                    messages.c.id == lease.id,
                    messages.c.lease_token == lease.token,
                    messages.c.view_id == view_id,
                )
                .values(view_id=None)
            )

    async def forget_shown(self, charge_id: str) -> None:
        """Have a message brought up to date whatever it is known to say; needs no lease."""
        async with self._database.transaction() as connection:
            await connection.execute(update(messages).where(messages.c.id == charge_id).values(shown=None))
            await wake(connection, messages, charge_id, self._database.clock.now())

    async def look_again(self, *, enterprise: str, team: str, since: datetime) -> None:
        """Have the messages of a workspace's charges brought up to date; else an enterprise's."""
        of = charges.c.team == team if team else charges.c.enterprise == enterprise
        concerned = select(charges.c.id).where(of, charges.c.confirmed_at >= since)
        async with self._database.transaction() as connection:
            await connection.execute(
                update(messages)
                .where(messages.c.id.in_(concerned))
                .values(due_at=self._database.clock.now(), wakes=messages.c.wakes + 1)
            )
            announce(connection, messages)

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
