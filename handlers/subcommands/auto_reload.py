"""`/billing auto-reload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.limit import auto_reload_modal

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_auto_reload(call: Call) -> None:
    """Show the setting in a modal."""
    await call.open_loading("Auto-reload")
    await call.show(auto_reload_modal(await call.runtime.billing.state(call.identity)))


ACTIONS = {ids.AUTO_RELOAD: handle_auto_reload}
