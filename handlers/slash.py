"""`/billing …`: finds the registry's row for a typed command."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING

from blocks import ids
from blocks.help import help_about_message, help_message, ignored_message, unknown_message
from handlers.registry import HELP, SUBCOMMANDS, usage_rows
from handlers.subcommands import subscription

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.slack.request import SlackRequest
    from handlers.context import Context
    from handlers.registry import Subcommand

_BY_NAME = {name: row for row in SUBCOMMANDS for name in (row.name, *row.also)}
_BUY = "buy"
_MEANT = {subscription.CANCEL: f"{subscription.COMMAND} {subscription.CANCEL}"}
"""Words that mean a command with what follows it."""

_NEAR = {
    "ask": "request",
    "approve": "requests",
    "deny": "requests",
    "approvers": "team",
    "budget": "team",
    "budgets": "team",
}
"""Words that people try for a command that is spelled otherwise."""

_HELP = frozenset({HELP, "?", "-h", "--help"})
_SHOWN = 40
_REMEMBERED = 100


async def handle_command(context: Context) -> None:
    """Route by the first word, in any case; the row reads the rest."""
    typed = context.request.typed_text
    row = _row(typed)
    if row is not None and not row.anywhere:
        context.runtime.permission.rules.require_channel(context.request.payload.channel_id or "")
    await run_typed(context, typed)


def answered_from_memory(request: SlackRequest) -> bool:
    """Tell whether the help answers a command; that needs no server."""
    return _row(request.typed_text) is None


async def handle_go_on(context: Context) -> None:
    """Run the command in the clicked button or chosen entry, as if it was typed."""
    await run_typed(context, context.request.value)


async def handle_more(context: Context) -> None:
    """Run the command chosen in the menu; its entry for the portal is a link."""
    if context.request.value != ids.PORTAL:
        await handle_go_on(context)


async def run_typed(context: Context, typed: str) -> None:
    """Run the command that was typed after `/billing`."""
    typed = _meant(typed)
    context.wanted = typed[:_REMEMBERED] or None
    row = _row(typed)
    team = context.runtime.requests.are_on
    if row is None or (row.of_team and not team):
        await context.reply.message(_said(typed, team=team))
        return
    context.text = typed if _is_amount(typed) else typed.partition(" ")[2].strip()
    await row.handle(context)
    if context.text and not row.arguments:
        await context.reply.message(ignored_message(row.typed, context.text), is_last=False)


def _said(typed: str, *, team: bool) -> Message:
    """Answer with the help, with that about one command, or that a word is not known.

    Without `team`, the commands about requests are not known.
    """
    word, _, rest = typed.partition(" ")
    if word.lower() not in _HELP:
        return unknown_message(typed[:_SHOWN], near=near_miss(word, team=team))
    asked = "" if rest.strip().lower() in _HELP else rest.strip()
    row = _row(asked) if asked else None
    if row is not None and (team or not row.of_team):
        return help_about_message(row.typed, row.does, also=row.also)
    if asked:
        return unknown_message(asked[:_SHOWN], near=near_miss(asked, team=team))
    return _usage(team=team)


@cache
def _usage(*, team: bool) -> Message:
    return help_message(usage_rows(team=team))


def _row(typed: str) -> Subcommand | None:
    word = _meant(typed).partition(" ")[0].lower()
    return _BY_NAME.get(_BUY if _is_amount(typed) else word)


def _meant(typed: str) -> str:
    """Return the whole command that a word stands for, or what was typed."""
    return _MEANT.get(typed.partition(" ")[0].lower(), typed)


def _is_amount(typed: str) -> bool:
    """Tell whether an amount was typed instead of a word: `/billing 50` buys."""
    return typed.removeprefix("$").lstrip()[:1].isdecimal()


def near_miss(word: str, *, team: bool = True) -> str | None:
    """Return the subcommand that a word probably means; None if there is none like it."""
    names = [name for name, row in _BY_NAME.items() if name and (team or not row.of_team)]
    found = difflib.get_close_matches(word.lower(), [*names, HELP], n=1, cutoff=0.6)
    return _NEAR.get(word.lower()) if team and word.lower() in _NEAR else next(iter(found), None)
