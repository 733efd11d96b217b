"""Announces a lock, and later its end, in the channel that the operator named."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING

from bot.domain.delivery import Delivery

if TYPE_CHECKING:
    from bot.domain.rules import Lock
    from bot.storage.connection import Transaction
    from bot.storage.deliveries import DeliveryStore

LOCK = "lock"
"""The kind of subject of these messages: a lock, by who made it and when."""


class LockAnnouncements:
    """Stores the announcement of each lock, or has it brought up to date."""

    def __init__(self, deliveries: DeliveryStore, channel: str | None) -> None:
        """`channel` is the channel's id; without it nothing is announced."""
        self._deliveries = deliveries
        self._channel = channel

    async def announce(self, transaction: Transaction, lock: Lock) -> None:
        """Announce that a lock has begun, or that it has ended."""
        if self._channel is None:
            return
        number = _number(lock)
        announcement = Delivery(
            id=number,
            subject_kind=LOCK,
            subject_id=number,
            recipient=lock.locked_by,
            created_at=lock.locked_at,
            channel=self._channel,
        )
        await self._deliveries.add(transaction, announcement)


def _number(lock: Lock) -> str:
    """Return a lock's id. The tenant is left out: a workspace that joins a grid keeps its lock."""
    at = lock.locked_at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(f"{lock.locked_by.user} {at}".encode()).hexdigest()[:32]
