"""`/billing disconnect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import cancelled_message, disconnect_question, disconnected_message
from handlers.subcommands.connect import replace_link
from handlers.subcommands.overview import handle_overview

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_disconnect(context: Context) -> None:
    """Ask whether to disconnect; nothing is lost by having typed it."""
    link = await context.runtime.accounts.former_link(context.identity)
    if link is None or link.dead:
        await handle_disconnect_button(context)
        return
    await context.reply.message(disconnect_question(link.account))


async def handle_disconnect_button(context: Context) -> None:
    """Delete the link and its tokens, and say whose account it was."""
    for grant in await context.runtime.linking.cancel(context.identity):
        await replace_link(context.runtime, grant, cancelled_message())
    link = await context.runtime.accounts.disconnect(context.identity)
    await context.reply.message(disconnected_message(link.account if link else None))


ACTIONS = {
    ids.DISCONNECT: handle_disconnect_button,
    ids.KEEP_CONNECTION: handle_overview,
}
