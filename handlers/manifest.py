"""The Slack app manifest, built from the listeners that the app registers."""

from __future__ import annotations

from typing import Any

from bot.slack.installing import REDIRECT_PATH
from handlers import lifecycle
from handlers.register import COMMAND
from handlers.registry import usage_hint

DESCRIPTION = "See and top up your prepaid balance at Nous Portal"

BOT_SCOPES = {
    "commands": "the /billing command",
    "chat:write": "the one direct message of each charge",
    "im:write": "to know the direct message's conversation before anything is posted there",
    "im:history": "to find that message after a crash, by its metadata, so that it is never posted twice",
    "users:read": "to hear that somebody's Slack account was deactivated, and forget their connection; "
    "to name people who share a portal account",
    "groups:read": "to see, before each card of a request in a channel, that it is still private and "
    "internal, and who is in it if its members decide",
    "channels:read": "to say of a public channel that no card goes there",
    "usergroups:read": "to know who is in the user group that decides on requests, where one does",
    "files:write": "to send somebody the purchases that they take out with /billing export",
}
"""The scopes that the app asks for, and why."""

TEAM_SCOPES = {
    "groups:read": "card in a private channel, and no deciding by its members",
    "channels:read": "reason shown where a public channel is chosen for cards",
    "usergroups:read": "deciding by a user group",
    "files:write": "`/billing export`; the operator has `billing-bot export`",
}
"""What there is not without each of these; the app does all the rest."""

EMAIL_SCOPE = "users:read.email"
"""Asked for with MATCH_EMAIL only: to compare a person's address with their portal account's."""


def bot_scopes(*, match_email: bool) -> list[str]:
    """Return the scopes that the app asks for with these settings."""
    return [*BOT_SCOPES, EMAIL_SCOPE] if match_email else [*BOT_SCOPES]


EVENTS = ("app_home_opened", *lifecycle.EVENTS)


def make_manifest(
    url: str | None, *, socket_mode: bool = False, match_email: bool = False
) -> dict[str, Any]:
    """Return the manifest of an app that Slack reaches at `url` (https, without a path).

    With `socket_mode` the app opens the connection; then only the OAuth installation needs the address, and
    `url` may be None.
    """
    base = (url or "").rstrip("/")
    events = {} if socket_mode else {"request_url": f"{base}/slack/events"}
    command = {
        "command": COMMAND,
        "description": DESCRIPTION,
        "usage_hint": usage_hint(),
        "should_escape": True,
    }
    return {
        "display_information": {
            "name": "Billing",
            "description": DESCRIPTION,
            "background_color": "#1f4e5f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": True,
            },
            "bot_user": {"display_name": "Billing", "always_online": True},
            "slash_commands": [command if socket_mode else {**command, "url": f"{base}/slack/events"}],
        },
        "oauth_config": {
            **({} if url is None else {"redirect_urls": [f"{base}{REDIRECT_PATH}"]}),
            "scopes": {"bot": bot_scopes(match_email=match_email)},
        },
        "settings": {
            "event_subscriptions": {**events, "bot_events": sorted(EVENTS)},
            "interactivity": {"is_enabled": True, **events},
            "org_deploy_enabled": True,
            "socket_mode_enabled": socket_mode,
            "token_rotation_enabled": False,
        },
    }
