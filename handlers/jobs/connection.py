"""The content of the message that a connection ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.connect import connection_ends_message
from bot.domain.delivery import Drawing

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime


async def draw_connection_end(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return the reminder; None once the grant was replaced or has ended."""
    link = await runtime.links.get(delivery.recipient)
    if link is None or link.dead or link.grant_id != delivery.subject_id:
        return None
    return Drawing(message=connection_ends_message(link.connection).json)
