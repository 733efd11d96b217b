"""The form of `/billing alerts`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.alerts import span
from blocks.inputs import channel_select, checkboxes, text_input
from blocks.kit import Block, Json, context, modal, section
from blocks.team import CHANNEL_PROBLEMS
from blocks.words import left, mentions, organization
from bot.domain.money import show
from bot.domain.runway import Lasts, NoUse
from bot.domain.watch import WatchState

if TYPE_CHECKING:
    from bot.domain.episode import Look
    from bot.domain.policy_views import ChannelProblem
    from bot.domain.watch_views import AlertsPage

WATCH, TELL, DIGEST = "watch", "tell", "digest"
SAVING = "Saving…"
AMOUNT_NEEDED = "An amount in dollars, such as 20"
ORDER = "Less than the amount that is low"
TIME_NEEDED = "A time such as 22:00"
BOTH_TIMES = "Both times, or none"


def alerts_modal(page: AlertsPage, *, ticked: bool = False, problem: ChannelProblem | None = None) -> Json:
    """Make the form; `ticked`: with the box to watch already checked.

    `problem`: nothing can go to the channel that was chosen.
    """
    chosen = [WATCH] if ticked or (page.mine is not None and page.mine.watches) else []
    chosen += [TELL] if page.mine is None or page.mine.tells else []
    name = organization(page.watch.organization_name)
    return modal(
        titles.ALERTS,
        section(f":warning: *No alert goes to that channel: {CHANNEL_PROBLEMS[problem]}.*")
        if problem
        else None,
        section(f"*{_balance(page.look)} at {name}*\n{_watched(page)}"),
        context(runway_words(page.look)),
        checkboxes(
            f"Watch {name[:40]}'s balance",
            [
                (
                    WATCH,
                    "Watch with my connection",
                    "About 120 times a day, only to look. Others read that it is yours.",
                ),
                (TELL, "Tell me", "A direct message when it is low, or runs out soon."),
            ],
            block_id=ids.ALERTS_WHO,
            action_id=ids.ALERTS_WHO,
            chosen=chosen,
        ),
        None
        if page.sees_all
        else context("You see the balance alone, so cap and auto-reload are not watched."),
        *(_settings(page) if page.may_set else []),
        callback_id=ids.ALERTS_VIEW,
        submit="Save",
        close="Cancel",
        private_metadata=json.dumps(page.account_id),
    )


def _settings(page: AlertsPage) -> list[Block | None]:
    watch, lines = page.watch, page.watch.lines
    newest = None if page.look is None else page.look.newest
    low = None if newest is None else show(watch.lines.low_at(newest))
    critical = None if newest is None else show(watch.lines.critical_at(newest))
    return [
        text_input(
            "Low",
            block_id=ids.ALERTS_LOW,
            action_id=ids.ALERTS_LOW,
            placeholder=low,
            initial=None if lines.low is None else show(lines.low),
            hint="Dollars. Empty: $20, or a little above auto-reload's line.",
            optional=True,
        ),
        text_input(
            "Critical",
            block_id=ids.ALERTS_CRITICAL,
            action_id=ids.ALERTS_CRITICAL,
            placeholder=critical,
            initial=None if lines.critical is None else show(lines.critical),
            hint="Dollars. Empty: a quarter of that.",
            optional=True,
        ),
        text_input(
            "Quiet from",
            block_id=ids.ALERTS_QUIET_FROM,
            action_id=ids.ALERTS_QUIET_FROM,
            placeholder="22:00",
            initial=None if watch.quiet is None else f"{watch.quiet.begins:%H:%M}",
            hint=f"In {watch.zone}. What can wait is told at their end, if it is still so.",
            optional=True,
        ),
        text_input(
            "Quiet until",
            block_id=ids.ALERTS_QUIET_UNTIL,
            action_id=ids.ALERTS_QUIET_UNTIL,
            placeholder="07:00",
            initial=None if watch.quiet is None else f"{watch.quiet.ends:%H:%M}",
            optional=True,
        ),
        channel_select(
            "Where",
            block_id=ids.ALERTS_WHERE,
            action_id=ids.ALERTS_WHERE,
            chosen=watch.post_to,
            placeholder="Direct messages",
            hint="Or one private channel that this app is in: who reads it sees the balance. What only "
            "some may know stays direct.",
        ),
        checkboxes(
            "Every Monday",
            [(DIGEST, "Weekly digest", f"To whoever is told, at 9:00 in {watch.zone}.")],
            block_id=ids.ALERTS_DIGEST,
            action_id=ids.ALERTS_DIGEST,
            chosen=[DIGEST] if watch.digest_at is not None else [],
        ),
    ]


def _balance(look: Look | None) -> str:
    return "No balance is shown" if look is None else left(look.newest.balance)


def _watched(page: AlertsPage) -> str:
    if page.watch.state is WatchState.STALE:
        return ":warning: Nobody watches it: no connection can read it now."
    if not page.watchers:
        return "Nobody watches it yet. Watching reads it with somebody's connection."
    stand_by = page.watchers[1:]
    beside = f" · standing by: {mentions([each.key for each in stand_by])}" if stand_by else ""
    return f"Watched by {mentions([page.watch.watcher or page.watchers[0].key])}{beside}"


def runway_words(look: Look | None) -> str:
    """Say how long the balance lasts, or why that is not known."""
    lasts = None if look is None else look.runway
    if isinstance(lasts, Lasts):
        how = "an early estimate" if lasts.is_early else "today's pace, or like last week"
        return f"Lasts {span(lasts.near, lasts.far)}: {how}."
    if isinstance(lasts, NoUse):
        return "No use seen in the last 24 hours."
    return "Not enough history yet to say how long it lasts."


def saved_alerts_modal(page: AlertsPage) -> Json:
    """Make what follows the form."""
    mine = page.mine
    watches = (
        "Your connection watches it."
        if mine is not None and mine.watches
        else "Your connection does not read it."
    )
    tells = "You are told." if mine is not None and mine.tells else "You are not told."
    warning = None
    if (
        page.look is not None
        and page.watch.lines.level(page.look.newest)
        and mine is not None
        and mine.tells
    ):
        warning = section(f":warning: {_balance(page.look)} now: this alerts at once.")
    return modal(
        titles.ALERTS,
        section(f":white_check_mark: *Saved.* {watches} {tells}"),
        warning,
        callback_id=ids.INFO_VIEW,
    )
