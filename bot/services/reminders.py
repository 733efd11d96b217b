"""Reminds people, once a grant, that their connection ends tomorrow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.delivery import Delivery
from bot.domain.identity import GRANT_LIFE

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.links import LinkStore

CONNECTION = "connection"
"""The kind of subject of these messages: a grant, by its id."""

REMIND_BEFORE = timedelta(days=1)


class Reminders:
    """Direct messages about what comes by itself."""

    def __init__(self, links: LinkStore, deliveries: DeliveryStore, clock: Clock) -> None:
        self._links = links
        self._deliveries = deliveries
        self._clock = clock

    async def remind(self) -> None:
        """Store a message for each connection that ends within a day (docs/portal.md, section 3.6)."""
        now = self._clock.now()
        ending = await self._links.ending(
            linked_before=now + REMIND_BEFORE - GRANT_LIFE, linked_after=now - GRANT_LIFE
        )
        for link in ending:
            reminder = Delivery(
                id=link.grant_id,
                subject_kind=CONNECTION,
                subject_id=link.grant_id,
                recipient=link.identity,
                created_at=now,
            )
            await self._links.remind(link, reminder, self._deliveries)
