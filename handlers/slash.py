"""`/billing …`: which row of the registry answers."""

from __future__ import annotations

import difflib
import html
from functools import cache
from typing import TYPE_CHECKING, Any

from blocks.help import help_message
from handlers.registry import HELP, SUBCOMMANDS, usage_rows

if TYPE_CHECKING:
    from blocks.kit import Message
    from handlers.call import Call
    from handlers.registry import Subcommand

_BY_NAME = {row.name: row for row in SUBCOMMANDS}
_SHOWN = 40
_REMEMBERED = 100


async def handle_command(call: Call) -> None:
    """Route by the first word, whatever its case; the rest is the row's own to read."""
    typed = _typed(call.body)
    row = _row(typed)
    if row is not None and not row.anywhere:
        call.runtime.permission.rules.require_channel(str(call.body.get("channel_id") or ""))
    await run_typed(call, typed)


def needs_nobody(body: dict[str, Any]) -> bool:
    """Tell whether a command is answered by its usage: at once, and from memory."""
    return _row(_typed(body)) is None


async def handle_go_on(call: Call) -> None:
    """Go on with the command that was typed before connecting."""
    await run_typed(call, str(call.action.get("value") or ""))


async def run_typed(call: Call, typed: str) -> None:
    """Run what was typed after `/billing`."""
    call.wanted = typed[:_REMEMBERED] or None
    word, _, rest = typed.partition(" ")
    row = _row(typed)
    if row is not None:
        call.text = rest.strip()
        await row.handle(call)
    elif word.lower() in {HELP, "?", "-h", "--help"}:
        await call.reply(_usage())
    else:
        await call.reply(help_message(usage_rows(), unknown=typed[:_SHOWN], near=near_miss(word)))


@cache
def _usage() -> Message:
    return help_message(usage_rows())


def _typed(body: dict[str, Any]) -> str:
    return html.unescape(str(body.get("text") or "")).strip()


def _row(typed: str) -> Subcommand | None:
    return _BY_NAME.get(typed.partition(" ")[0].lower())


def near_miss(word: str) -> str | None:
    """Return the subcommand that a mistyped word probably meant."""
    names = [*filter(None, _BY_NAME), HELP]
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return found[0] if found else None
