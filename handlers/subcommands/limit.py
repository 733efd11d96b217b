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
    await call.show(limit_modal(await call.runtime.billing.state(call.identity)))


ACTIONS = {ids.MONTHLY_LIMIT: handle_limit}
