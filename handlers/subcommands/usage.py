"""`/billing usage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.usage import usage_message

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_usage(call: Call) -> None:
    """Show the bars."""
    async with call.patience():
        info, applying = await call.runtime.billing.account(call.identity)
    await call.reply(usage_message(info, call.runtime.clock.now(), applying=applying))


ACTIONS = {ids.REFRESH_USAGE: handle_usage}
