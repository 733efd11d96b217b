"""`/billing alerts`: watch a balance, be told, and what people do with an alert."""

from __future__ import annotations

import json
import re
from datetime import time
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.alerts import WORSE
from blocks.alerts_form import (
    AMOUNT_NEEDED,
    BOTH_TIMES,
    DIGEST,
    ORDER,
    SAVING,
    TELL,
    TIME_NEEDED,
    WATCH,
    alerts_modal,
    saved_alerts_modal,
)
from blocks.chart import past_message
from blocks.loading import loading_modal
from bot.domain.episode import Lines
from bot.domain.errors import StaleError
from bot.domain.watch import QuietHours
from bot.domain.watch_views import AlertsChannelError, AlertsForm
from handlers.chosen_amount import optional_amount

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.slack.request import SlackRequest
    from handlers.context import Context

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


async def handle_alerts(context: Context) -> None:
    """Show who watches, and the form."""
    await _open(context, ticked=False)


async def handle_watch_it(context: Context) -> None:
    """Show the form with the box to watch already checked; only Save consents."""
    await _open(context, ticked=True)


async def _open(context: Context, *, ticked: bool) -> None:
    context.wanted = "alerts"
    await context.reply.open_modal(titles.ALERTS)
    page = await context.runtime.watching.page(context.identity)
    await context.reply.show(alerts_modal(page, ticked=ticked))


async def handle_alerts_form(context: Context) -> None:
    """Read the form and store it; say what is wrong beside its input."""
    context.reply.in_submitted_modal(titles.ALERTS)
    problems: dict[str, str] = {}
    form = _read(context.request, problems)
    if problems:
        await context.reply.ack(response_action="errors", errors=problems)
        return
    await context.reply.become(loading_modal(titles.ALERTS, doing=SAVING), _save(context, form))


async def _save(context: Context, form: AlertsForm) -> Json:
    try:
        account_id = str(json.loads(context.request.metadata))
    except ValueError as error:
        raise StaleError from error
    try:
        page = await context.runtime.watching.save(context.identity, form, account_id=account_id)
    except AlertsChannelError as error:
        return alerts_modal(error.page, problem=error.problem)
    return saved_alerts_modal(page)


async def handle_snooze(context: Context) -> None:
    """Say no more of an episode to this person for a while; its message says so."""
    episode_id, _, chosen = context.request.value.partition(" ")
    hours = None if chosen == WORSE or not chosen.isdecimal() else int(chosen)
    await context.runtime.watching.snooze(context.identity, episode_id, hours)


async def handle_i_know(context: Context) -> None:
    """Close an episode that somebody knows of; its messages say so."""
    await context.runtime.watching.known(context.identity, context.request.value)


async def handle_past(context: Context) -> None:
    """Show as a table what a chart has drawn."""
    watch, past = await context.runtime.watching.past(context.identity, context.request.value)
    await context.reply.message(past_message(past, watch.organization_name))


def _read(request: SlackRequest, problems: dict[str, str]) -> AlertsForm:
    chosen = request.checked(ids.ALERTS_WHO)
    low, critical = (
        optional_amount(request, ids.ALERTS_LOW, problems, AMOUNT_NEEDED),
        optional_amount(request, ids.ALERTS_CRITICAL, problems, AMOUNT_NEEDED),
    )
    if low is not None and critical is not None and critical >= low:
        problems[ids.ALERTS_CRITICAL] = ORDER
    return AlertsForm(
        watches=WATCH in chosen,
        tells=TELL in chosen,
        lines=Lines(low=low, critical=critical),
        quiet=_quiet(request, problems),
        digest=DIGEST in request.checked(ids.ALERTS_DIGEST),
        post_to=request.entered(ids.ALERTS_WHERE),
    )


def _quiet(request: SlackRequest, problems: dict[str, str]) -> QuietHours | None:
    """Read the quiet hours; both times or none."""
    found: list[time] = []
    for block_id in (ids.ALERTS_QUIET_FROM, ids.ALERTS_QUIET_UNTIL):
        typed = (request.entered(block_id) or "").strip()
        if not typed:
            continue
        read = _TIME.fullmatch(typed)
        if read is None:
            problems[block_id] = TIME_NEEDED
            return None
        found.append(time(int(read[1]), int(read[2])))
    match found:
        case [begins, ends] if begins != ends:
            return QuietHours(begins=begins, ends=ends)
        case []:
            return None
    problems[ids.ALERTS_QUIET_UNTIL] = BOTH_TIMES
    return None


ACTIONS = {
    ids.WATCH_IT: handle_watch_it,
    ids.SNOOZE: handle_snooze,
    ids.I_KNOW: handle_i_know,
    ids.PAST_TABLE: handle_past,
}
SUBMISSIONS = {ids.ALERTS_VIEW: handle_alerts_form}
