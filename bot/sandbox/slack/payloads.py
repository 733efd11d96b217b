"""The shapes in which Slack tells an app what a person did."""

import copy
from typing import Any

from bot.sandbox.slack.people import Cast, Person

Json = dict[str, Any]

VERIFICATION_TOKEN = "sandbox-verification-token"  # noqa: S105 deprecated by Slack, checked nowhere


def escaped(text: str) -> str:
    """Text as Slack sends it: the three characters with a meaning in mrkdwn are escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def command_fields(
    cast: Cast,
    person: Person,
    typed: str,
    *,
    channel: tuple[str, str],
    trigger_id: str,
    response_url: str,
) -> dict[str, str]:
    """The form fields of a slash command.

    Args:
        cast: Who is in the workspace.
        person: Who typed it.
        typed: The whole line, "/billing buy 50".
        channel: Id and name of the conversation.
        trigger_id: Opens one view.
        response_url: Takes five answers.
    """
    command, _, text = typed.strip().partition(" ")
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": person.team_id,
        "team_domain": cast.team(person.team_id).domain,
        "channel_id": channel[0],
        "channel_name": channel[1],
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": escaped(text.strip()),
        "api_app_id": cast.app.id,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def interaction(cast: Cast, person: Person, kind: str) -> Json:
    """What every interaction payload carries; the app's own team, the person's beside it."""
    team = cast.home_team
    return {
        "type": kind,
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": person.team_id,
        },
        "api_app_id": cast.app.id,
        "token": VERIFICATION_TOKEN,
        "team": {"id": team.id, "domain": team.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def in_message(message: Json, channel: tuple[str, str], state: Json) -> Json:
    """Where an action in a message took place; an ephemeral is named by its ts alone."""
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
    """Where an action in a modal or in App Home took place."""
    return {
        "container": {"type": "view", "view_id": view["id"]},
        "view": copy.deepcopy(view),
    }


_COPIED = ("text", "value", "style", "url", "placeholder", "confirm")


def action(block: Json, element: Json, value: Json, action_ts: str) -> Json:
    """One entry of `actions`: which element, and what it holds now."""
    return {
        "type": element["type"],
        "block_id": block["block_id"],
        "action_id": element["action_id"],
        **{name: element[name] for name in _COPIED if name in element},
        **value,
        "action_ts": action_ts,
    }


def event_envelope(
    cast: Cast, event: Json, *, event_id: str, at: float, team_id: str | None = None
) -> Json:
    """An Events API delivery."""
    team = team_id or cast.home_team.id
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": team,
        "api_app_id": cast.app.id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": team,
                "user_id": cast.app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
