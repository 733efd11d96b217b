"""`/billing disconnect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import disconnected_message

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_disconnect(call: Call) -> None:
    """Forget the link and its tokens, and say what was forgotten."""
    await call.runtime.linking.cancel(call.identity)
    link = await call.runtime.accounts.disconnect(call.identity)
    await call.reply(disconnected_message(link.account if link else None))


ACTIONS = {ids.DISCONNECT: handle_disconnect}
