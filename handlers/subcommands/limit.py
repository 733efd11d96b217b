"""`/billing limit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.limit import limit_modal

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_limit(context: Context) -> None:
    """Show the monthly limit in a modal."""
    await context.reply.open_modal(titles.MONTHLY_LIMIT)
    state = await context.runtime.billing.state(context.identity)
    link = await context.runtime.accounts.link(context.identity)
    await context.reply.show(limit_modal(state, link.account, context.runtime.clock.wall()))


ACTIONS = {ids.MONTHLY_LIMIT: handle_limit}
