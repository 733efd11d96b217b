"""Slack's events that the app or a person is gone: their connections are deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.domain.identity import Identity

if TYPE_CHECKING:
    from bot.domain.installation import Installation
    from handlers.context import Context


async def handle_ended(context: Context) -> None:
    """Delete an installation, because the app was removed or its tokens were revoked."""
    installation = await _installation(context)
    if installation is not None:
        await context.runtime.lifecycle.ended(installation, why=str(_event(context).get("type")))


async def handle_access_revoked(context: Context) -> None:
    """Delete the connections of workspaces that left an org-wide installation."""
    installation = await _installation(context)
    teams = _event(context).get("team_ids")
    if installation is not None and not installation.team and isinstance(teams, list) and teams:
        await context.runtime.lifecycle.access_revoked(installation, [str(team) for team in teams])


async def handle_user_change(context: Context) -> None:
    """Delete the connection of a person whose account was deactivated."""
    user = _event(context).get("user")
    installation = await _installation(context)
    if installation is None or not isinstance(user, dict) or user.get("deleted") is not True:
        return
    team, enterprise = str(user.get("team_id") or ""), _enterprise_of(user)
    ours = {installation.team, installation.enterprise} - {""}
    if team in ours or enterprise in ours:
        person = Identity(enterprise=installation.enterprise, team=team, user=str(user.get("id") or ""))
        await context.runtime.lifecycle.deactivated(person)


def _event(context: Context) -> dict[str, Any]:
    return context.request.event or {}


async def _installation(context: Context) -> Installation | None:
    place = context.request.place
    found = await context.runtime.workspaces.find(place)
    return found if found is not None and found.named_by(place) else None


def _enterprise_of(user: dict[str, Any]) -> str:
    member = user.get("enterprise_user")
    return str(member.get("enterprise_id") or "") if isinstance(member, dict) else ""


EVENTS = {
    "app_uninstalled": handle_ended,
    "tokens_revoked": handle_ended,
    "team_access_revoked": handle_access_revoked,
    "user_change": handle_user_change,
}
