"""The payloads that Slack sends to an app."""

import copy
from typing import Any

from bot.sandbox.slack.directory import Channel, Directory, Enterprise, Person, Team
from bot.sandbox.slack.installations import Installation

Json = dict[str, Any]

VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105 deprecated by Slack, checked nowhere


def escaped(text: str) -> str:
    """Escape the three special characters of mrkdwn, as Slack does."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def command_fields(
    directory: Directory,
    person: Person,
    typed: str,
    via: Installation,
    *,
    channel: tuple[str, str],
    trigger_id: str,
    response_url: str,
) -> dict[str, str]:
    """Return the form fields of a slash command.

    Args:
        directory: The people, teams and app of the sandbox.
        person: The person who typed the command.
        typed: The whole line, "/billing buy 50".
        via: The installation that receives the command.
        channel: The id and name of the conversation.
        trigger_id: The trigger id for one view.
        response_url: The URL for five answers.
    """
    command, _, text = typed.strip().partition(" ")
    team = directory.team(person.team_id)
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": person.team_id,
        "team_domain": team.domain,
        **_enterprise_fields(team.enterprise),
        "channel_id": channel[0],
        "channel_name": channel[1],
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": escaped(text.strip()),
        "api_app_id": directory.app.id,
        "is_enterprise_install": "true" if via.is_enterprise_install else "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def _enterprise_fields(enterprise: Enterprise | None) -> dict[str, str]:
    if enterprise is None:
        return {}
    return {"enterprise_id": enterprise.id, "enterprise_name": enterprise.name}


def interaction(directory: Directory, person: Person, kind: str, via: Installation) -> Json:
    """Return the common fields of an interaction payload.

    `team` is the workspace of the installation. It is None for an org-wide installation. The
    person's own workspace is in `user.team_id`.
    """
    enterprise = via.enterprise
    return {
        "type": kind,
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": person.team_id,
        },
        "api_app_id": directory.app.id,
        "token": VERIFICATION_TOKEN,
        "team": None if via.team is None else _team(via.team),
        "enterprise": {"id": enterprise.id, "name": enterprise.name} if enterprise else None,
        "is_enterprise_install": via.is_enterprise_install,
    }


def _team(team: Team) -> Json:
    return {"id": team.id, "domain": team.domain, **_enterprise_fields(team.enterprise)}


def in_message(message: Json, channel: tuple[str, str], state: Json) -> Json:
    """Return the payload fields of an action in a message. An ephemeral message has no `message`."""
    ephemeral = bool(message.get("ephemeral"))
    place: Json = {
        "container": {
            "type": "message",
            "message_ts": message["ts"],
            "channel_id": channel[0],
            "is_ephemeral": ephemeral,
        },
        "channel": {"id": channel[0], "name": channel[1]},
        "state": {"values": state},
    }
    if message.get("thread_ts"):
        place["container"]["thread_ts"] = message["thread_ts"]
    if not ephemeral:
        place["message"] = {
            name: copy.deepcopy(value) for name, value in message.items() if name != "metadata"
        }
    return place


def in_view(view: Json) -> Json:
    """Return the payload fields of an action in a modal or in App Home."""
    return {
        "container": {"type": "view", "view_id": view["id"]},
        "view": copy.deepcopy(view),
    }


_COPIED = ("text", "value", "style", "url", "placeholder", "confirm")


def action(block: Json, element: Json, value: Json, action_ts: str) -> Json:
    """Return one entry of `actions`: the element and its current value."""
    return {
        "type": element["type"],
        "block_id": block["block_id"],
        "action_id": element["action_id"],
        **{name: element[name] for name in _COPIED if name in element},
        **value,
        "action_ts": action_ts,
    }


def event_envelope(app_id: str, event: Json, *, event_id: str, at: float, **place: object) -> Json:
    """Return an Events API envelope. `place` has the workspace and the authorizations."""
    return {
        "token": VERIFICATION_TOKEN,
        "api_app_id": app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        **place,
    }


def event_context(via: Installation, team: Team | None) -> Json:
    """Return the envelope fields of an event in a workspace of an installation."""
    return {
        **({} if team is None else {"team_id": team.id}),
        **({} if via.enterprise is None else {"enterprise_id": via.enterprise.id}),
        "authorizations": [
            {
                "enterprise_id": via.enterprise.id if via.enterprise else None,
                "team_id": via.team.id if via.team else None,
                "user_id": via.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": via.is_enterprise_install,
            }
        ],
        "is_ext_shared_channel": False,
    }


def removal_context(via: Installation) -> Json:
    """Return the envelope fields of an event about a removed installation, without authorizations."""
    return {
        **({} if via.team is None else {"team_id": via.team.id}),
        **({} if via.enterprise is None else {"enterprise_id": via.enterprise.id}),
    }


def channel_object(channel: Channel, via: Installation) -> Json:
    """Return a channel as in `conversations.info`."""
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not channel.private,
        "is_group": channel.private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "is_org_shared": False,
        "is_pending_ext_shared": channel.pending,
        "pending_shared": ["T0PENDING"] if channel.pending else [],
        "is_member": channel.has_app,
        "context_team_id": via.id,
    }


def user_object(directory: Directory, person: Person, via: Installation, *, deleted: bool) -> Json:
    """Return a person's `user` object as in `users.info` and `user_change`."""
    enterprise = directory.team(person.team_id).enterprise
    foreign = person.team_id not in via.team_ids
    user: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "real_name": person.real_name,
        "tz": person.tz,
        "color": person.color,
        "deleted": deleted,
        "is_bot": False,
        "is_restricted": person.is_guest,
        "is_ultra_restricted": False,
        "is_stranger": foreign and (enterprise is None or enterprise != via.enterprise),
        "profile": {
            "real_name": person.real_name,
            "display_name": person.name,
            "title": person.title,
            "team": person.team_id,
        },
    }
    if person.email is not None and "users:read.email" in via.scopes:
        user["profile"]["email"] = person.email
    if enterprise is not None:
        user["enterprise_user"] = {
            "id": person.id,
            **_enterprise_fields(enterprise),
            "is_admin": False,
            "is_owner": False,
            "teams": [person.team_id],
        }
    return user
