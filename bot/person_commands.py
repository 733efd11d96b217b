"""The commands about one person's data."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.storage.cipher import Cipher
from bot.storage.person import NotForgottenError, forget_person, show_person
from bot.terminal import FAULTY_SETTINGS, NOT_NOW, NOT_THERE, configured, say, with_database

if TYPE_CHECKING:
    from bot.storage.database import Database

Team = Annotated[str, typer.Argument(help="the workspace's id, T…, or the grid's, E…")]
User = Annotated[str, typer.Argument(help="the person's Slack id, U… or W…")]

person_app = typer.Typer(help="One person's data: print it, or forget it.")


@person_app.command("show")
def show_command(team: Team, user: User) -> None:
    """Print all that is stored about a person as JSON, without tokens."""
    _require_ids(team, user)

    async def show(database: Database) -> dict[str, Any]:
        return await show_person(database, team, user)

    shown = with_database(show)
    if not shown:
        _nothing(team, user)
    typer.echo(json.dumps(shown, indent=2))


@person_app.command("forget")
def forget_command(team: Team, user: User) -> None:
    """End a person's connection, and point nothing to them any more outside the sealed audit log."""
    _require_ids(team, user)
    cipher = Cipher(configured().keys())

    async def forget(database: Database) -> tuple[bool, int]:
        return await forget_person(database, cipher, team, user)

    try:
        was_known, entries = with_database(forget, records=True)
    except NotForgottenError as error:
        say(str(error), err=True)
        sys.exit(NOT_NOW)
    if not was_known and not entries:
        _nothing(team, user)
    say(f"Nothing points to {user} any more but {entries} entries of the sealed audit log, which are kept.")


def _require_ids(team: str, user: str) -> None:
    for name, given, starts in (("TEAM", team, "TE"), ("USER", user, "UW")):
        if re.fullmatch(f"[{starts}][A-Z0-9]+", given) is None:
            say(f"{name}: not a Slack id that begins with {' or '.join(starts)}", err=True)
            sys.exit(FAULTY_SETTINGS)


def _nothing(team: str, user: str) -> None:
    say(f"Nothing is stored about {user} of {team}.", err=True)
    sys.exit(NOT_THERE)
