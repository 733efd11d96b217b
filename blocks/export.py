"""The answers to `/billing export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Message, actions, button, context, escape, message, section
from blocks.words import organization

if TYPE_CHECKING:
    from datetime import date

    from bot.services.exporting import Exported

SHOWN = 40


def file_name(exported: Exported) -> str:
    """Return the name of the file."""
    return f"purchases-{exported.month:%Y-%m}.csv"


def file_title(exported: Exported) -> str:
    """Return how Slack shows the file."""
    return f"Purchases in {exported.month:%B %Y}"


def file_comment(exported: Exported) -> str:
    """Say beside the file what is in it."""
    whose = "All purchases" if exported.everything else "Your purchases"
    name = organization(exported.organization_name)
    return f"{whose} for {name} through this app in {exported.month:%B %Y} ({exported.zone})."


def sent_message(exported: Exported) -> Message:
    """Say where the file is, and what is in it."""
    count = len(exported.purchases)
    found = "no purchase" if count == 0 else "1 purchase" if count == 1 else f"{count} purchases"
    whose = "of everybody" if exported.everything else "of yours: only billing managers get everybody's"
    return message(
        section(f"*Sent to your messages with this app:* {found} in {exported.month:%B %Y}, {whose}."),
    )


def no_month_message(typed: str) -> Message:
    """Say how a month is typed."""
    return message(
        section(f"`{escape(typed[:SHOWN]).replace('`', '')}` is no month. Type `/billing export 2026-11`."),
        actions(button("This month", ids.GO_ON, value="export", style="primary")),
    )


def maybe_sent_message(month: date) -> Message:
    """Say that Slack gave no answer."""
    return message(
        section(
            "*The file may or may not have arrived:* Slack gave no answer. "
            "Look into your messages with this app first."
        ),
        actions(button("Send it again", ids.GO_ON, value=f"export {month:%Y-%m}")),
    )


def no_file_message(month: date, *, may_not: bool) -> Message:
    """Say that no file could be sent: the app may not, or Slack does not take it."""
    if may_not:
        return message(
            section(
                "*Nothing was sent.* This app may not send files here: its scope `files:write` is missing. "
                "Whoever installed it can add it, or the operator runs `billing-bot export`."
            )
        )
    return message(
        section("*Nothing was sent.* Slack does not take the file just now."),
        actions(button("Try again", ids.GO_ON, value=f"export {month:%Y-%m}", style="primary")),
    )


def exported_message(user: str, name: str | None) -> Message:
    """Tell somebody who may charge that another has taken out everybody's purchases."""
    return message(
        section(f"<@{user}> took out the purchases of {organization(name)} with `/billing export`."),
        context("You read this once a day at most, because you may pay there too."),
    )
