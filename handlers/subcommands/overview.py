"""`/billing`: the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import welcome_message
from blocks.overview import overview_message
from bot.domain.errors import NotLinkedError
from handlers.home import publish_home, remember_overview

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_overview(call: Call) -> None:
    """Show what there is to use, or how to begin."""
    async with call.patience():
        try:
            overview = await call.runtime.billing.overview(call.identity)
            stopped = await call.runtime.permission.stopped(call.identity)
        except NotLinkedError:
            answer = welcome_message()
        else:
            answer = overview_message(overview, stopped=stopped)
    await call.reply(answer)


async def handle_refresh(call: Call) -> None:
    """Show the overview as it is now, where it stands."""
    if call.in_home:
        await publish_home(call.runtime, call.identity)
        return
    await handle_overview(call)
    await remember_overview(call)


async def handle_link_button(_call: Call) -> None:
    """Do nothing: the button is a link, and its click only needs its acknowledgement."""


ACTIONS = {
    ids.SHOW_OVERVIEW: handle_overview,
    ids.REFRESH: handle_refresh,
    **dict.fromkeys(ids.LINKS, handle_link_button),
}
