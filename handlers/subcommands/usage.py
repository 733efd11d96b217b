"""`/billing usage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.usage import usage_message

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_usage(context: Context) -> None:
    """Show the usage."""
    async with context.reply.patience():
        info, applying = await context.runtime.billing.account(context.identity)
    await context.reply.message(usage_message(info, context.runtime.clock.wall(), applying=applying))


ACTIONS = {ids.REFRESH_USAGE: handle_usage}
