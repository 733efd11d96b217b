"""The answers to `/billing away`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.help import SHOWN
from blocks.kit import Message, actions, button, context, escape, message, moment, section
from blocks.words import mention

if TYPE_CHECKING:
    from bot.domain.away import Away

STILL = "You can still decide: `/billing requests` and App Home show what waits."


def away_message(absence: Away) -> Message:
    """Say until when a person is away, and who is told instead."""
    until = moment("until", absence.until)
    instead = "Others who may pay are told of requests instead."
    if absence.delegate is not None:
        instead = f"{mention(absence.delegate)} is told of requests instead, if they may pay themselves."
    return message(
        section(f"*You are away* {until}\n{instead}"),
        context(STILL),
        actions(button("I'm back", ids.BACK)),
    )


def not_away_message() -> Message:
    """Say that a person is not away, and how to be."""
    return message(
        section("You are not away. `/billing away Dec 24` or `/billing away 3d @colleague` says so.")
    )


def back_message(*, was_away: bool) -> Message:
    """Make the answer to the end of an absence."""
    return message(
        section("*Welcome back.* You are told of requests again." if was_away else "You were not away.")
    )


def away_help_message(typed: str) -> Message:
    """Say which days can be typed."""
    shown = escape(typed[:SHOWN]).replace("`", "")
    return message(
        section(
            f"`{shown}` is no day within the next 60. Type `/billing away Dec 24`, `tomorrow`, `3d` or "
            "`2026-12-24`, and a colleague who is told instead if you like."
        )
    )
