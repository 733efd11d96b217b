"""The fields of an app manifest and their limits.

The limits come from Slack's manifest reference and its published schema. The contents of fields
that the sandbox does not use (shortcuts, functions, workflows) are not validated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.sandbox.slack.block_rules import (
    Flag,
    Many,
    Number,
    Opaque,
    Rule,
    Shape,
    String,
    error_message,
)
from bot.sandbox.slack.scopes import BOT_SCOPES, EVENT_SCOPES

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, kw_only=True)
class Url:
    """An https URL. `loopback` also allows an http URL on loopback."""

    limit: int
    loopback: bool

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        yield from String(limit=self.limit, least=1).examine(value, at)
        if isinstance(value, str) and not self._fits(value):
            yield error_message("must be a valid https URL", at)

    def _fits(self, value: str) -> bool:
        parts = urlsplit(value)
        if parts.scheme == "http":
            return self.loopback and parts.hostname in _LOOPBACK
        return parts.scheme == "https" and bool(parts.hostname)


@dataclass(frozen=True, kw_only=True)
class Known:
    """One of the names that Slack defines."""

    words: frozenset[str]
    what: str

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if value not in self.words:
            yield error_message(f"unknown {self.what}: {value}", at)


@dataclass(frozen=True, kw_only=True)
class Distinct:
    """A list of at most `most` distinct values."""

    of: Rule
    most: int

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        yield from Many(of=self.of, most=self.most, least=0).examine(value, at)
        if isinstance(value, list) and any(one in value[:index] for index, one in enumerate(value)):
            yield error_message("must not contain duplicates", at)


def manifest_shape(*, loopback: bool) -> Shape:
    """Return the shape of a manifest. `loopback` also allows http URLs on loopback."""
    return _closed(
        required={"display_information": _DISPLAY},
        optional={
            "$schema": String(limit=3000),
            "_metadata": _METADATA,
            "features": _features(Url(limit=3000, loopback=loopback)),
            "oauth_config": _oauth(Url(limit=2500, loopback=loopback)),
            "settings": _settings(Url(limit=3500, loopback=loopback)),
            **dict.fromkeys(_HOSTED, Opaque(dict)),
            "outgoing_domains": Opaque(list),
        },
    )


def _closed(
    *, required: Mapping[str, Rule] | None = None, optional: Mapping[str, Rule] | None = None
) -> Shape:
    return Shape(required=required or {}, optional=optional or {}, tagged=False)


def _flags(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, Flag())


_HOSTED = ("app_directory", "functions", "workflows", "datastores", "types", "external_auth_providers")
_METADATA = _closed(
    optional={
        "major_version": Number(least=1, most=2),
        "minor_version": Number(least=0, most=99),
        "schema_version": Number(least=1, most=2),
        "min_version": Number(least=0, most=99),
    }
)
_DISPLAY = _closed(
    required={"name": String(limit=35, least=1)},
    optional={
        "description": String(limit=140, least=1),
        "long_description": String(limit=4000, least=175),
        "background_color": String(
            limit=7, pattern=r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?", meaning="must be a hex color"
        ),
    },
)
_BOT_USER = _closed(required={"display_name": String(limit=80, least=1)}, optional=_flags("always_online"))
_APP_HOME = _closed(
    optional=_flags("home_tab_enabled", "messages_tab_enabled", "messages_tab_read_only_enabled")
)
_COMMAND_NAME = String(
    limit=32, least=2, pattern=r"/[^\sA-Z]+", meaning="must start with / and have no spaces or capitals"
)


def _features(url: Url) -> Shape:
    command = _closed(
        required={"command": _COMMAND_NAME, "description": String(limit=2000, least=1)},
        optional={
            "url": url,
            "usage_hint": String(limit=1000, least=1),
            "should_escape": Flag(),
        },
    )
    return _closed(
        optional={
            "app_home": _APP_HOME,
            "bot_user": _BOT_USER,
            "slash_commands": Many(of=command, most=50),
            "shortcuts": Many(of=Opaque(dict), most=10),
            "unfurl_domains": Distinct(of=String(limit=255, least=1), most=5),
            "workflow_steps": Many(of=Opaque(dict), most=10),
            "functions": Opaque(list),
            "assistant_view": Opaque(dict),
        }
    )


def _oauth(url: Url) -> Shape:
    bot = Distinct(of=Known(words=BOT_SCOPES, what="bot scope"), most=255)
    user = Distinct(
        of=String(limit=50, pattern=r"[a-z_]+([.:-][a-z_]+)*", meaning="must be a scope"), most=255
    )
    scopes = _closed(optional={"bot": bot, "bot_optional": bot, "user": user, "user_optional": user})
    return _closed(
        optional={
            "redirect_urls": Distinct(of=url, most=1000),
            "scopes": scopes,
            **_flags("token_management_enabled", "pkce_enabled"),
        }
    )


def _settings(url: Url) -> Shape:
    events = Distinct(of=Known(words=frozenset(EVENT_SCOPES), what="event"), most=100)
    subscriptions = _closed(
        optional={
            "request_url": url,
            "bot_events": events,
            "user_events": Distinct(of=String(limit=50, least=1), most=100),
            "metadata_subscriptions": Many(of=Opaque(dict), most=20),
        }
    )
    interactivity = _closed(
        required={"is_enabled": Flag()},
        optional={"request_url": url, "message_menu_options_url": url},
    )
    return _closed(
        optional={
            "event_subscriptions": subscriptions,
            "interactivity": interactivity,
            "incoming_webhooks": _closed(optional=_flags("incoming_webhooks_enabled")),
            "allowed_ip_address_ranges": Distinct(of=String(limit=18, least=7), most=50),
            "siws_links": _closed(optional={"initiate_uri": url}),
            "function_runtime": String(limit=50),
            "hermes_app_type": String(limit=50),
            **_flags("org_deploy_enabled", "socket_mode_enabled", "token_rotation_enabled"),
            **_flags("is_hosted", "is_mcp_enabled"),
        }
    )
