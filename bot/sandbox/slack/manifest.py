"""The validation of an app manifest, and the app that it describes.

ManifestError
    has one message for each broken rule, with the JSON pointer of the value
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.sandbox.slack.block_rules import error_message
from bot.sandbox.slack.directory import SlackApp, SlashCommand
from bot.sandbox.slack.manifest_shape import manifest_shape
from bot.sandbox.slack.scopes import EVENT_SCOPES

Json = dict[str, Any]


class ManifestError(ValueError):
    """Slack would refuse the manifest. `error_messages` has the reasons."""

    def __init__(self, error_messages: tuple[str, ...]) -> None:
        super().__init__("\n".join(error_messages))
        self.error_messages = error_messages


def app_of(manifest: Json, base: SlackApp | None = None, *, allow_loopback: bool = True) -> SlackApp:
    """Return the app that a manifest describes.

    Args:
        manifest: The manifest.
        base: The app with the ids, which a manifest does not have.
        allow_loopback: Whether a URL may also be an http URL on loopback. Slack requires https.

    Raises:
        ManifestError: Slack would refuse it.
    """
    error_messages = tuple(manifest_shape(loopback=allow_loopback).examine(manifest, ""))
    # The cross-field rules assume that each field has its shape.
    error_messages = error_messages or tuple(_cross_field_errors(manifest))
    if error_messages:
        raise ManifestError(error_messages)
    return _app_from(manifest, base or SlackApp())


def _part(manifest: Mapping[str, Any], *path: str) -> Json:
    found: Any = manifest
    for name in path:
        found = found.get(name, {})
    return dict(found)


def _app_from(manifest: Json, base: SlackApp) -> SlackApp:
    features, settings = _part(manifest, "features"), _part(manifest, "settings")
    home, oauth = _part(features, "app_home"), _part(manifest, "oauth_config")
    return replace(
        base,
        name=manifest["display_information"]["name"],
        description=manifest["display_information"].get("description", ""),
        commands=tuple(_command(one) for one in features.get("slash_commands", ())),
        scopes=frozenset(_part(oauth, "scopes").get("bot", ())),
        events=frozenset(_part(settings, "event_subscriptions").get("bot_events", ())),
        redirect_urls=tuple(oauth.get("redirect_urls", ())),
        home_tab=home.get("home_tab_enabled", False),
        messages_tab=home.get("messages_tab_enabled", False),
        read_only=home.get("messages_tab_read_only_enabled", False),
        interactive=_part(settings, "interactivity").get("is_enabled", False),
        org_ready=settings.get("org_deploy_enabled", False),
        socket_mode=settings.get("socket_mode_enabled", False),
    )


def _command(described: Json) -> SlashCommand:
    return SlashCommand(
        command=described["command"],
        usage_hint=described.get("usage_hint", ""),
        description=described["description"],
    )


def _cross_field_errors(manifest: Json) -> Iterator[str]:
    settings = _part(manifest, "settings")
    over_http = not settings.get("socket_mode_enabled", False)
    scopes = frozenset(_part(manifest, "oauth_config", "scopes").get("bot", ()))
    yield from _about_commands(_part(manifest, "features"), scopes, over_http=over_http)
    yield from _about_events(manifest, scopes, over_http=over_http)
    yield from _about_interactivity(settings, over_http=over_http)
    if settings.get("token_rotation_enabled"):
        # Slack supports rotation; the sandbox's tokens never expire.
        yield error_message("the sandbox does not rotate tokens", "/settings/token_rotation_enabled")


def _about_commands(features: Json, scopes: frozenset[str], *, over_http: bool) -> Iterator[str]:
    at, commands = "/features/slash_commands", features.get("slash_commands", [])
    if commands and "commands" not in scopes:
        yield error_message("slash commands require the bot scope commands", at)
    names = [one["command"] for one in commands]
    for index, one in enumerate(commands):
        if one["command"] in names[:index]:
            yield error_message(f"duplicate command: {one['command']}", f"{at}/{index}/command")
        if over_http and "url" not in one:
            yield error_message("missing required field: url", f"{at}/{index}")


def _about_events(manifest: Json, scopes: frozenset[str], *, over_http: bool) -> Iterator[str]:
    at = "/settings/event_subscriptions"
    subscriptions = _part(manifest, "settings", "event_subscriptions")
    events = subscriptions.get("bot_events", [])
    if over_http and events and "request_url" not in subscriptions:
        yield error_message("missing required field: request_url", at)
    home = _part(manifest, "features", "app_home")
    for index, event in enumerate(events):
        needed = EVENT_SCOPES[event]
        if needed and scopes.isdisjoint(needed):
            words = f"{event} requires the bot scope {' or '.join(needed)}"
            yield error_message(words, f"{at}/bot_events/{index}")
        if event == "app_home_opened" and not home.get("home_tab_enabled"):
            yield error_message("app_home_opened requires the home tab", "/features/app_home")


def _about_interactivity(settings: Json, *, over_http: bool) -> Iterator[str]:
    interactivity = _part(settings, "interactivity")
    if over_http and interactivity.get("is_enabled") and "request_url" not in interactivity:
        yield error_message("missing required field: request_url", "/settings/interactivity")
