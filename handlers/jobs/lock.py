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
"""For how long to try a channel that takes no message or edit."""


async def draw_lock(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what became of a lock; None if it is unknown, or the channel has not taken it for a day."""
    tenant = delivery.recipient.tenant
    story = await runtime.permission.lock_story(tenant, delivery.created_at)
    if story is None:
        return None
    lock, unlock = story
    if runtime.clock.now() > (unlock.at if unlock is not None else lock.locked_at) + WORTH_POSTING:
        return None
    reply = None
    if unlock is not None and delivery.ts is not None:  # not if the message itself begins with the end
        reply = Reply(key="resumed", message=resumed_reply(unlock).json)
    return Drawing(message=announcement(lock, unlock).json, reply=reply)
