"""`/billing away UNTIL [@delegate]`: others are told of requests in this person's place."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from blocks import ids
from blocks.away import away_help_message, away_message, back_message, not_away_message
from bot.domain.away import Away, AwayError, read_away
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from handlers.context import Context

_OFF = frozenset({"off", "back"})


async def handle_away(context: Context) -> None:
    """Store an absence; without arguments show it, with `off` end it."""
    runtime, typed = context.runtime, context.text
    if not typed:
        absence = await runtime.away.get(context.identity)
        await context.reply.message(not_away_message() if absence is None else away_message(absence))
        return
    if typed.lower() in _OFF:
        await handle_back(context)
        return
    zone = zone_named(await runtime.members.zone(context.identity))
    try:
        last, delegate = read_away(typed, runtime.clock.wall().astimezone(zone).date())
    except AwayError:
        await context.reply.message(away_help_message(typed))
        return
    until = datetime.combine(last, time.max, zone).astimezone(UTC)
    absence = Away(person=context.identity, until=until, delegate=delegate)
    await runtime.away.put(absence)
    await context.reply.message(away_message(absence))


async def handle_back(context: Context) -> None:
    """End the absence."""
    was_away = await context.runtime.away.end(context.identity)
    await context.reply.message(back_message(was_away=was_away))


ACTIONS = {ids.BACK: handle_back}
