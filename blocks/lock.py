"""The spending lock: the answers to `/billing lock` and `/billing unlock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.kit import Json, Message, actions, button, context, message, modal, moment, section
from blocks.words import mention, reason_words

if TYPE_CHECKING:
    from bot.domain.rules import Lock, Unlock

STOPS = (
    "No one in this workspace can add funds, upgrade, or turn on auto-reload. "
    "Purchases not yet sent are stopped."
)
GOES_ON = "Purchases already in progress will finish. Auto-reload stays on unless you turn it off."


def locked_message(lock: Lock, *, already: bool) -> Message:
    """Make the answer to `/billing lock`."""
    title = "Spending was already paused" if already else "Spending is paused"
    return message(
        section(f":lock: *{title}*\n{lock_line(lock)} {STOPS}"),
        context(f"{GOES_ON} `/billing unlock` resumes spending."),
    )


def unlocked_message(lock: Lock | None, *, by: str) -> Message:
    """Make the answer to `/billing unlock`; `by` is the Slack id of the person who typed it."""
    if lock is None:
        return message(section("Spending was not paused. Nothing has changed."))
    return message(
        section(f":unlock: *Spending resumed*\n{mention(by)} resumed spending. {_was_paused(lock)}")
    )


def lock_modal() -> Json:
    """Make the question whether to pause all spending, for a person who named no reason."""
    return modal(
        titles.PAUSE_SPENDING,
        section(STOPS),
        context(GOES_ON),
        actions(button("Pause spending", ids.LOCK, style="danger")),
        context("To say why, close this and type `/billing lock REASON`."),
        callback_id=ids.INFO_VIEW,
    )


def announcement(lock: Lock, unlock: Unlock | None) -> Message:
    """Make the message in the channel that the operator named."""
    if unlock is None:
        return message(section(f":lock: *Spending from Slack is paused*\n{lock_line(lock)} {STOPS}"))
    by = f"{mention(unlock.by)} {moment('resumed it', unlock.at)}."
    return message(
        section(f":unlock: *Spending from Slack resumed*\n{by} {_was_paused(lock)}"),
    )


def resumed_reply(unlock: Unlock) -> Message:
    """Make the reply in the announcement's thread."""
    return message(section(f":unlock: *Spending from Slack resumed* by {mention(unlock.by)}"))


def lock_line(lock: Lock) -> str:
    """Return who locked spending, when and why, in one or two sentences (escaped)."""
    who = mention(lock.locked_by.user)
    return f"{who} {moment('paused it', lock.locked_at)}.{reason_words(lock.reason)}"


def _was_paused(lock: Lock) -> str:
    since = moment("since", lock.locked_at)
    return f"It was paused by {mention(lock.locked_by.user)} {since}.{reason_words(lock.reason)}"
