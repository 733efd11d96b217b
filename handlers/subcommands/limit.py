"""`/billing limit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.limit import limit_modal

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_limit(call: Call) -> None:
    """Show the monthly limit in a modal."""
    await call.open_loading("Monthly limit")
    state = await call.runtime.billing.state(call.identity)
    link = await call.runtime.accounts.link(call.identity)
    await call.show(limit_modal(state, link.account, call.runtime.clock.now()))


ACTIONS = {ids.MONTHLY_LIMIT: handle_limit}
