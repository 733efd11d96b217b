"""Slack says that the app or a person is gone: their connections go too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.domain.identity import Identity
from handlers.call import place_of

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_ended(call: Call) -> None:
    """Forget an installation: the app was removed, or its tokens were revoked."""
    installation = await call.runtime.workspaces.find(place_of(call.body))
    if installation is not None:
        await call.runtime.lifecycle.ended(installation, why=str(call.body["event"]["type"]))


async def handle_access_revoked(call: Call) -> None:
    """Forget the people of workspaces that no longer take part in an org-wide installation."""
    installation = await call.runtime.workspaces.find(place_of(call.body))
    teams = call.body["event"].get("team_ids")
    if installation is not None and isinstance(teams, list) and teams:
        await call.runtime.lifecycle.access_revoked(installation, [str(team) for team in teams])


async def handle_user_change(call: Call) -> None:
    """Forget the connection of a person whose account was deactivated."""
    user: dict[str, Any] = call.body["event"].get("user") or {}
    installation = await call.runtime.workspaces.find(place_of(call.body))
    if installation is None or user.get("deleted") is not True:
        return
    person = Identity(enterprise="", team=str(user.get("team_id") or ""), user=str(user.get("id") or ""))
    member = installation.member(person, place_of(call.body))
    if member is not None:
        await call.runtime.lifecycle.deactivated(member)


EVENTS = {
    "app_uninstalled": handle_ended,
    "tokens_revoked": handle_ended,
    "team_access_revoked": handle_access_revoked,
    "user_change": handle_user_change,
}
