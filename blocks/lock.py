"""The spending lock: the answers to `/billing lock` and `/billing unlock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import Message, context, escape, message, moment, section

if TYPE_CHECKING:
    from bot.domain.rules import Lock


def locked_message(lock: Lock, *, already: bool) -> Message:
    """Make the answer to `/billing lock`."""
    title = "Spending was already paused" if already else "Spending is paused"
    words = (
        f":lock: *{title}*\n{lock_line(lock)} No one in this workspace can add funds, upgrade, or turn "
        "on auto-reload. Purchases not yet sent are stopped."
    )
    return message(
        section(words),
        context(
            "Purchases already in progress will finish. Auto-reload stays on unless you turn it off. "
            "`/billing unlock` resumes spending."
        ),
    )


def unlocked_message(lock: Lock | None, *, by: str) -> Message:
    """Make the answer to `/billing unlock`; `by` is the Slack id of the person who typed it."""
    if lock is None:
        return message(section("Spending was not paused. Nothing has changed."))
    return message(
        section(f":unlock: *Spending is resumed*\n<@{escape(by)}> resumed it. {lock_line(lock)}")
    )


def lock_line(lock: Lock) -> str:
    """Return who locked spending, when and why, in one or two sentences (escaped)."""
    reason = f" Reason: {escape(lock.reason)}" if lock.reason else ""
    end = "" if reason.endswith((".", "!", "?")) or not reason else "."
    who = f"<@{escape(lock.locked_by.user)}>"
    return f"{who} {moment('paused it', lock.locked_at)}.{reason}{end}"
