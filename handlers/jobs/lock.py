"""The content of the announcement that spending was paused, and later resumed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from blocks.lock import announcement, resumed_reply
from bot.domain.delivery import Drawing, Reply

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime

WORTH_POSTING = timedelta(days=1)
"""For how long to try a channel that takes no message."""


async def draw_lock(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what became of a lock; None if it is unknown, or no channel has taken it for a day."""
    tenant = delivery.recipient.tenant
    story = await runtime.permission.lock_story(tenant, delivery.created_at)
    is_late = delivery.ts is None and runtime.clock.now() > delivery.created_at + WORTH_POSTING
    if story is None or is_late:
        return None
    lock, unlock = story
    reply = None if unlock is None else Reply(key="resumed", message=resumed_reply(unlock).json)
    return Drawing(message=announcement(lock, unlock).json, reply=reply)
