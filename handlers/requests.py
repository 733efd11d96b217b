"""What several handlers do with a request: show what became of it, and bring its card up to date."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from blocks.deciding import obstacle_modal
from bot.domain.delivery import is_direct
from bot.domain.errors import BillingError
from bot.slack.errors import SlackError
from bot.storage.requests.rows import REQUEST
from handlers.jobs.request import request_card

if TYPE_CHECKING:
    from bot.domain.request import FundsRequest
    from bot.domain.request_errors import RequestError
    from handlers.context import Context


async def show_obstacle(context: Context, error: RequestError) -> None:
    """Show in the open modal why a person cannot decide on a request."""
    await context.reply.show(obstacle_modal(error, context.runtime.clock.now()))


async def show_own(context: Context, request: FundsRequest) -> None:
    """Show a request to its requester as its card does."""
    await context.reply.message(await request_card(context.runtime, request, context.identity))


async def repair_card(context: Context, request: FundsRequest) -> None:
    """Bring the clicked card up to date, and the one that the app knows; a failure changes nothing."""
    runtime, clicked = context.runtime, context.request.clicked_message
    if clicked is None:
        return
    with contextlib.suppress(BillingError, SlackError):
        reader = context.identity
        if not is_direct(clicked.channel):
            reader = replace(reader, user=clicked.channel)
        known = await runtime.deliveries.redraw(REQUEST, request.id, reader)
        if known is not None and known.ts == clicked.ts:
            return
        card = await request_card(runtime, request, reader)
        await context.reply.slack.chat_update(channel=clicked.channel, ts=clicked.ts, **card.json)
