"""The content of messages about a connection: it ends, or another person has one to the same account."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from blocks.connect import connection_ends_message
from blocks.second_person import (
    beside_message,
    connection_ended_message,
    now_connected_message,
    other_ended_message,
    question_message,
)
from bot.domain.delivery import Drawing
from handlers.home import refresh_home
from handlers.waiting import other_person, waiting_screen

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime


async def draw_connection_end(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return the reminder; None once the grant was replaced or has ended."""
    link = await runtime.links.get(delivery.recipient)
    if link is None or link.dead or link.grant_id != delivery.subject_id:
        return None
    return Drawing(message=connection_ends_message(link.connection).json)


async def draw_second_person(runtime: Runtime, delivery: Delivery) -> Drawing:
    """Return the question about a second person, or what became of it."""
    theirs = await runtime.links.by_grant(delivery.subject_id)
    if theirs is None or theirs.dead:
        return Drawing(message=other_ended_message().json)
    make = beside_message if theirs.waits_since is None else question_message
    return Drawing(message=make(await other_person(runtime, theirs), theirs.account.email).json)


async def draw_waiting(runtime: Runtime, delivery: Delivery) -> Drawing:
    """Return what became of a second person's own connection."""
    mine = await runtime.links.by_grant(delivery.subject_id)
    if mine is None or mine.dead:
        message = connection_ended_message()
    elif mine.waits_since is None:
        message = now_connected_message()
    else:
        message = await waiting_screen(runtime, mine)
    return Drawing(message=message.json, after=partial(refresh_home, runtime, delivery.recipient))
