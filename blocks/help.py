"""Usage: what can be typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Message, actions, button, context, escape, header, message, section

if TYPE_CHECKING:
    from collections.abc import Sequence


def help_message(
    rows: Sequence[tuple[str, str]], *, unknown: str | None = None, near: str | None = None
) -> Message:
    """Make the usage from (what to type, what it does); `near` is what an unknown word probably meant."""
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
    """Make the answer to `/billing buy` with an amount that cannot be used."""
    shown = escape(typed[:40]).replace("`", "")
    return message(
        section(f"`/billing buy {shown}`: {problem}."),
        actions(button("Add funds", ids.ADD_FUNDS, style="primary")),
    )
