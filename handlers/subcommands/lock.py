"""`/billing lock [REASON]` and `/billing unlock`: stop and release all spending through the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lock import locked_message, unlocked_message

if TYPE_CHECKING:
    from handlers.context import Context

MAX_REASON = 200


async def handle_lock(context: Context) -> None:
    """Stop all spending, if this person may do so."""
    reason = context.text[:MAX_REASON].strip() or None
    lock, is_new = await context.runtime.permission.lock(context.identity, reason)
    await context.reply.message(locked_message(lock, already=not is_new))


async def handle_unlock(context: Context) -> None:
    """Release spending, if this person may do so."""
    lock = await context.runtime.permission.unlock(context.identity)
    await context.reply.message(unlocked_message(lock, by=context.identity.user))
