"""`/billing …`: finds the registry's row for a typed command."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING

from blocks.help import help_message, unknown_message
from handlers.registry import HELP, SUBCOMMANDS, usage_rows

if TYPE_CHECKING:
    from blocks.kit import Message
    from bot.slack.request import SlackRequest
    from handlers.context import Context
    from handlers.registry import Subcommand

_BY_NAME = {name: row for row in SUBCOMMANDS for name in (row.name, *row.also)}
_BUY = "buy"
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
    """Continue with the command that was typed before connecting."""
    await run_typed(context, context.request.value)


async def run_typed(context: Context, typed: str) -> None:
    """Run the command that was typed after `/billing`."""
    context.wanted = typed[:_REMEMBERED] or None
    word, _, rest = typed.partition(" ")
    row = _row(typed)
    if row is not None:
        context.text = typed if _is_amount(typed) else rest.strip()
        await row.handle(context)
    elif word.lower() in {HELP, "?", "-h", "--help"}:
        await context.reply.message(_usage())
    else:
        await context.reply.message(unknown_message(typed[:_SHOWN], near=near_miss(word)))


@cache
def _usage() -> Message:
    return help_message(usage_rows())


def _row(typed: str) -> Subcommand | None:
    return _BY_NAME.get(_BUY if _is_amount(typed) else typed.partition(" ")[0].lower())


def _is_amount(typed: str) -> bool:
    """Tell whether an amount was typed instead of a word: `/billing 50` buys."""
    return typed.removeprefix("$").lstrip()[:1].isdecimal()


def near_miss(word: str) -> str | None:
    """Return the subcommand most similar to a mistyped word; None if none is similar."""
    names = [*filter(None, _BY_NAME), HELP]
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return found[0] if found else None
