"""`/billing`: the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.connect import welcome_message
from blocks.overview import overview_message
from bot.domain.errors import NotLinkedError

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_overview(call: Call) -> None:
    """Show what there is to use, or how to begin."""
    async with call.patience():
        try:
            state, usage = await call.runtime.billing.overview(call.identity)
            stopped = await call.runtime.permission.stopped(call.identity)
        except NotLinkedError:
            answer = welcome_message()
        else:
            answer = overview_message(state, usage, stopped=stopped)
    await call.reply(answer)


async def handle_link_button(_call: Call) -> None:
    """Do nothing: the button is a link, and its click only needs its acknowledgement."""


ACTIONS = {
    ids.SHOW_OVERVIEW: handle_overview,
    ids.MANAGE_ON_PORTAL: handle_link_button,
    ids.OPEN_LINK: handle_link_button,
}
