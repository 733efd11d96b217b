"""The notice that somebody has taken out an organization's purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.export import exported_message
from bot.domain.delivery import Drawing

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime


async def draw_exported(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return who has taken out purchases; nothing to somebody who has disconnected meanwhile."""
    link = await runtime.links.get(delivery.recipient)
    if link is None:
        return None
    user, _, _ = delivery.subject_id.partition(" ")
    return Drawing(message=exported_message(user, link.account.organization_name).json)
