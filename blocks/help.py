"""The help text: the commands that a person can type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Message, actions, button, context, escape, header, message, section

if TYPE_CHECKING:
    from collections.abc import Sequence


SHOWN = 40
DOES = {
    "": "your balance, and what you can do",
    "buy": "add funds: choose an amount, confirm, and follow it to the outcome",
    "request": "ask those who may pay for funds: an amount and what it is for",
    "requests": "requests for funds: what waits for you, and what became of yours",
    "team": "who decides on requests, from which amount two people do, and monthly budgets",
    "alerts": "watch the balance, and be told before it runs out",
    "away": "until when others are told of requests in your place (`off` ends it)",
    "export": "a month's purchases as a CSV file (default: this month)",
    "usage": "what is left of your plan and top-ups",
    "limit": "how much may be charged this month",
    "auto-reload": "automatically add funds when the balance is low",
    "subscription": "your plan: see it, change it, cancel it, undo a change",
    "history": "your purchases through this app",
    "trace": "what happened to a purchase (default: your latest)",
    "connect": "link your Nous Portal account",
    "disconnect": "unlink your Nous Portal account",
    "lock": "pause all spending from Slack (billing managers only)",
    "unlock": "resume spending (billing managers only)",
    "help": "this list",
}
"""What each subcommand does; the empty one is `/billing` alone."""


def unknown_message(typed: str, *, near: str | None) -> Message:
    """Make the answer to a word that is not known; `near` is the known word that is most like it."""
    guess = f" Did you mean `/billing {near}`?" if near else ""
    meant = button(f"/billing {near}", ids.GO_ON, value=near, style="primary") if near else None
    return message(
        section(f"There is no `/billing {escape(typed).replace('`', '')}`.{guess}"),
        actions(meant, None if near == "help" else button("Help", ids.SHOW_HELP, value="help")),
    )


def help_message(rows: Sequence[tuple[str, str]]) -> Message:
    """Make the help from (command, description) rows."""
    lines = "\n".join(f"`{escape(typed)}`  {escape(does)}" for typed, does in rows)
    return message(
        header("What you can type"),
        section(lines),
        context(
            "Only you see the answers. Your card stays in the portal; only what you confirm is charged."
        ),
        actions(button("Back", ids.BACK_TO_OVERVIEW)),
    )


def help_about_message(typed: str, does: str, *, also: Sequence[str]) -> Message:
    """Make the help about one command; `also` are other words for it."""
    others = ", ".join(f"`{escape(word)}`" for word in also)
    return message(
        section(f"`{escape(typed)}`  {escape(does)}" + (f"\nAlso: {others}" if also else "")),
        actions(button("All commands", ids.SHOW_HELP, value="help")),
    )


def ignored_message(command: str, rest: str) -> Message:
    """Say that what was typed after a command that takes nothing was not used."""
    extra = escape(rest[:SHOWN]).replace("`", "")
    return message(context(f"`{escape(command)}` takes nothing after it, so `{extra}` was ignored."))


def amount_help_message(typed: str, problem: str) -> Message:
    """Make the answer to `/billing buy` with an invalid amount."""
    shown = escape(typed[:SHOWN]).replace("`", "")
    return message(
        section(f"`/billing buy {shown}`: {problem}."),
        actions(button("Add funds", ids.ADD_FUNDS, style="primary")),
    )
