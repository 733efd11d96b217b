"""`/billing lock [REASON]` and `/billing unlock`: stop and release all spending through the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.lock import lock_modal, locked_message, unlocked_message

if TYPE_CHECKING:
    from handlers.context import Context

MAX_REASON = 200


async def handle_lock(context: Context) -> None:
    """Stop all spending, if this person may do so; without a reason, ask first."""
    permission = context.runtime.permission
    permission.rules.require_locker(context.identity)
    if context.text:
        await _lock(context, context.text[:MAX_REASON].strip())
        return
    stopped = await permission.stopped(context.identity)
    if stopped is not None and stopped.lock is not None:
        await context.reply.message(locked_message(stopped.lock, already=True))
        return
    await context.reply.open_modal(titles.PAUSE_SPENDING)
    await context.reply.show(lock_modal())


async def handle_lock_button(context: Context) -> None:
    """Stop all spending; the question said what that stops."""
    await _lock(context, None)


async def _lock(context: Context, reason: str | None) -> None:
    lock, is_new = await context.runtime.permission.lock(context.identity, reason)
    await context.reply.message(locked_message(lock, already=not is_new))


async def handle_unlock(context: Context) -> None:
    """Release spending, if this person may do so."""
    lock = await context.runtime.permission.unlock(context.identity)
    await context.reply.message(unlocked_message(lock, by=context.identity.user))


ACTIONS = {ids.LOCK: handle_lock_button}
