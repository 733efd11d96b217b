"""`/billing`: the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import welcome_message
from blocks.overview import overview_message
from bot.domain.errors import NotLinkedError
from handlers.home import publish_home, remember_overview

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_overview(context: Context) -> None:
    """Show the overview, or how to connect."""
    async with context.reply.patience():
        try:
            overview = await context.runtime.billing.overview(context.identity)
            stopped = await context.runtime.permission.stopped(context.identity)
        except NotLinkedError:
            answer = welcome_message()
        else:
            answer = overview_message(overview, stopped=stopped)
    await context.reply.message(answer)


async def handle_refresh(context: Context) -> None:
    """Show the current overview in place of the old one."""
    if context.request.in_home:
        await publish_home(context.runtime, context.identity)
        return
    await handle_overview(context)
    await remember_overview(context)


async def handle_link_button(_context: Context) -> None:
    """Do nothing: the button is a link, and its click only needs an acknowledgement."""


ACTIONS = {
    ids.SHOW_OVERVIEW: handle_overview,
    ids.BACK_TO_OVERVIEW: handle_overview,
    ids.REFRESH: handle_refresh,
    **dict.fromkeys(ids.LINKS, handle_link_button),
}
