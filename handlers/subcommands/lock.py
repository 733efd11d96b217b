"""`/billing lock [REASON]` and `/billing unlock`: all spending through the app, stopped and released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lock import locked_message, unlocked_message

if TYPE_CHECKING:
    from handlers.context import Context

MAX_REASON = 200


async def handle_lock(context: Context) -> None:
    """Stop all spending at once, if this person may."""
    reason = context.text[:MAX_REASON].strip() or None
    lock, made = await context.runtime.permission.lock(context.identity, reason)
    await context.reply.message(locked_message(lock, already=not made))


async def handle_unlock(context: Context) -> None:
    """Release spending, if this person may."""
    await context.reply.message(unlocked_message(await context.runtime.permission.unlock(context.identity)))
