"""The Slack app manifest, made from what the app really registers."""

from __future__ import annotations

from typing import Any

from handlers.register import COMMAND
from handlers.registry import usage_hint

DESCRIPTION = "See and top up your prepaid balance at Nous Portal"

BOT_SCOPES = {
    "commands": "the /billing command",
    "chat:write": "the one direct message of each charge",
    "im:write": "to know the direct message's conversation before anything is posted there",
    "im:history": "to find that message after a crash, by its metadata, so that it is never posted twice",
}
"""What the app asks for, and why."""


def make_manifest(url: str) -> dict[str, Any]:
    """Return the manifest of an app that Slack reaches at `url` (https, without a path)."""
    events = f"{url.rstrip('/')}/slack/events"
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
            "slash_commands": [
                {
                    "command": COMMAND,
                    "url": events,
                    "description": DESCRIPTION,
                    "usage_hint": usage_hint(),
                    "should_escape": True,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": list(BOT_SCOPES)}},
        "settings": {
            "event_subscriptions": {"request_url": events, "bot_events": ["app_home_opened"]},
            "interactivity": {"is_enabled": True, "request_url": events},
            "org_deploy_enabled": False,
            "socket_mode_enabled": False,
            "token_rotation_enabled": False,
        },
    }
