"""`/billing disconnect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import cancelled_message, disconnected_message
from handlers.link_place import replace_link

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_disconnect(call: Call) -> None:
    """Forget the link and its tokens, and say what was forgotten."""
    for grant in await call.runtime.linking.cancel(call.identity):
        await replace_link(call.runtime, grant, cancelled_message())
    link = await call.runtime.accounts.disconnect(call.identity)
    await call.reply(disconnected_message(link.account if link else None))


ACTIONS = {ids.DISCONNECT: handle_disconnect}
