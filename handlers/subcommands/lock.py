"""`/billing lock [REASON]` and `/billing unlock`: all spending through the app, stopped and released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.lock import locked_message, unlocked_message

if TYPE_CHECKING:
    from handlers.call import Call

MAX_REASON = 200


async def handle_lock(call: Call) -> None:
    """Stop all spending at once, if this person may."""
    reason = call.text[:MAX_REASON].strip() or None
    lock, made = await call.runtime.permission.lock(call.identity, reason)
    await call.reply(locked_message(lock, already=not made))


async def handle_unlock(call: Call) -> None:
    """Release spending, if this person may."""
    await call.reply(unlocked_message(await call.runtime.permission.unlock(call.identity)))
