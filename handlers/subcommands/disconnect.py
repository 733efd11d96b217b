"""`/billing disconnect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import cancelled_message, disconnected_message
from handlers.subcommands.connect import replace_link

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_disconnect(context: Context) -> None:
    """Delete the link and its tokens, and say whose account it was."""
    for grant in await context.runtime.linking.cancel(context.identity):
        await replace_link(context.runtime, grant, cancelled_message())
    link = await context.runtime.accounts.disconnect(context.identity)
    await context.reply.message(disconnected_message(link.account if link else None))


ACTIONS = {ids.DISCONNECT: handle_disconnect}
