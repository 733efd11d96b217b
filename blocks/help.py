"""The help text: the commands that a person can type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Message, actions, button, context, escape, header, message, section

if TYPE_CHECKING:
    from collections.abc import Sequence


DOES = {
    "": "your balance, and what you can do",
    "buy": "add funds: choose an amount, confirm, and follow it to the outcome",
    "usage": "what is left of your plan and top-ups",
    "limit": "how much may be charged this month",
    "auto-reload": "have funds bought by themselves when the balance is low",
    "subscription": "your plan: see it, change it, cancel it, undo a change",
    "history": "your purchases through this app",
    "trace": "the story of a purchase, the last one if none is named",
    "connect": "link your Nous Portal account",
    "disconnect": "forget your Nous Portal account",
    "lock": "stop all spending through this app, for those who may",
    "unlock": "release it again",
    "help": "this list",
}
"""What each subcommand does; the empty one is `/billing` alone."""


def help_message(
    rows: Sequence[tuple[str, str]], *, unknown: str | None = None, near: str | None = None
) -> Message:
    """Make the help from (command, description) rows; `near` is the known word nearest to `unknown`."""
    problem = None
    if unknown is not None:
        guess = f" Did you mean `/billing {near}`?" if near else ""
        problem = section(f"There is no `/billing {escape(unknown).replace('`', '')}`.{guess}")
    lines = "\n".join(f"`{escape(typed)}`  {escape(does)}" for typed, does in rows)
    return message(
        problem,
        header("What you can type"),
        section(lines),
        context(
            "Only you see the answers. Your card stays on the portal; only what you confirm is charged."
        ),
    )


def amount_help_message(typed: str, problem: str) -> Message:
    """Make the answer to `/billing buy` with an invalid amount."""
    shown = escape(typed[:40]).replace("`", "")
    return message(
        section(f"`/billing buy {shown}`: {problem}."),
        actions(button("Add funds", ids.ADD_FUNDS, style="primary")),
    )
