"""The spending lock: the answers to `/billing lock` and `/billing unlock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import Message, context, escape, message, moment, section

if TYPE_CHECKING:
    from bot.domain.rules import Lock


def locked_message(lock: Lock, *, already: bool) -> Message:
    """Make the answer to `/billing lock`."""
    title = "Spending was locked already" if already else "Spending is locked"
    words = (
        f":lock: *{title}*\n{lock_line(lock)} Nobody here can buy, upgrade or switch auto-reload on "
        "through this app, and nothing that waits is sent to the portal any more."
    )
    return message(
        section(words),
        context(
            "What the portal has taken already goes on to its end. Auto-reload that is on stays on: it is "
            "the portal's, and can be switched off here or there. `/billing unlock` releases spending."
        ),
    )


def unlocked_message(lock: Lock | None) -> Message:
    """Make the answer to `/billing unlock`."""
    if lock is None:
        return message(section("Spending was not locked. Nothing has changed."))
    return message(section(f":unlock: *Spending is released*\nPeople can buy again. {lock_line(lock)}"))


def lock_line(lock: Lock) -> str:
    """Return who locked spending, when and why, in one or two sentences (escaped)."""
    reason = f" Reason: {escape(lock.reason)}" if lock.reason else ""
    end = "" if reason.endswith((".", "!", "?")) or not reason else "."
    who = f"<@{escape(lock.locked_by.user)}>"
    return f"{who} {moment('locked it', lock.locked_at)}.{reason}{end}"
