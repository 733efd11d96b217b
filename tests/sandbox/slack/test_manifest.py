"""The validation of an app manifest, rule by rule."""

import copy
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.serving import serve
from bot.sandbox.slack import Directory, ManifestError, SlackApp, SlackSandbox, app_of

Json = dict[str, Any]
Change = Callable[[Json], None]

URL = "https://bot.example.com/slack/events"
GOOD: Json = {
    "_metadata": {"major_version": 1, "minor_version": 1},
    "display_information": {
        "name": "Billing",
        "description": "See and top up your balance",
        "background_color": "#1f5f53",
    },
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "billing", "always_online": True},
        "slash_commands": [
            {
                "command": "/billing",
                "description": "See and top up your balance",
                "usage_hint": "[help|buy]",
                "should_escape": True,
                "url": URL,
            }
        ],
    },
    "oauth_config": {
        "redirect_urls": ["https://bot.example.com/slack/oauth_redirect"],
        "scopes": {"bot": ["commands", "chat:write", "im:history", "users:read"]},
    },
    "settings": {
        "event_subscriptions": {
            "request_url": URL,
            "bot_events": ["app_home_opened", "message.im", "user_change", "app_uninstalled"],
        },
        "interactivity": {"is_enabled": True, "request_url": URL},
        "org_deploy_enabled": True,
        "socket_mode_enabled": False,
    },
}


def changed(change: Change) -> Json:
    manifest = copy.deepcopy(GOOD)
    change(manifest)
    return manifest


def put(pointer: str, value: object) -> Change:
    """Return a change that sets the value at a JSON pointer."""

    def change(manifest: Json) -> None:
        *parents, last = pointer.strip("/").split("/")
        place: Any = manifest
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[int(last) if isinstance(place, list) else last] = value

    return change


def without(pointer: str) -> Change:
    """Return a change that removes the value at a JSON pointer."""

    def change(manifest: Json) -> None:
        *parents, last = pointer.strip("/").split("/")
        place: Any = manifest
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        del place[last]

    return change


def errors_of(change: Change, *, allow_loopback: bool = False) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        app_of(changed(change), allow_loopback=allow_loopback)
    return caught.value.error_messages


def test_a_good_manifest_describes_the_app() -> None:
    app = app_of(GOOD, SlackApp(id="A0OTHER"), allow_loopback=False)
    assert (app.id, app.name, app.org_ready, app.socket_mode) == ("A0OTHER", "Billing", True, False)
    (command,) = app.commands
    assert (command.command, command.usage_hint) == ("/billing", "[help|buy]")
    assert app.scopes == {"commands", "chat:write", "im:history", "users:read"}
    assert app.events == {"app_home_opened", "message.im", "user_change", "app_uninstalled"}
    assert app.redirect_urls == ("https://bot.example.com/slack/oauth_redirect",)
    assert (app.home_tab, app.messages_tab, app.interactive) == (True, True, True)


def test_a_minimal_manifest_describes_an_app_without_features() -> None:
    app = app_of({"display_information": {"name": "Quiet"}})
    assert (app.commands, app.scopes, app.events) == ((), frozenset(), frozenset())
    assert (app.home_tab, app.messages_tab, app.interactive) == (False, False, False)


COMMAND = "/features/slash_commands/0"
EVENTS = "/settings/event_subscriptions"


@pytest.mark.parametrize(
    ("pointer", "value", "words"),
    [
        ("/display_information/name", "x" * 36, "less than 36 characters"),
        ("/display_information/name", "", "more than 0 characters"),
        ("/display_information/description", "x" * 141, "less than 141 characters"),
        ("/display_information/long_description", "too short", "more than 174 characters"),
        ("/display_information/long_description", "x" * 4001, "less than 4001 characters"),
        ("/display_information/background_color", "1f5f53", "hex color"),
        ("/display_information/background_color", "#1f5f5", "hex color"),
        ("/features/bot_user/display_name", "x" * 81, "less than 81 characters"),
        ("/features/bot_user/always_online", "yes", "must provide a boolean"),
        ("/features/app_home/home_tab_enabled", 1, "must provide a boolean"),
        (f"{COMMAND}/command", "billing", "must start with /"),
        (f"{COMMAND}/command", "/bill ing", "no spaces"),
        (f"{COMMAND}/command", "/Billing", "no spaces or capitals"),
        (f"{COMMAND}/command", "/" + "x" * 32, "less than 33 characters"),
        (f"{COMMAND}/description", "x" * 2001, "less than 2001 characters"),
        (f"{COMMAND}/description", "", "more than 0 characters"),
        (f"{COMMAND}/usage_hint", "x" * 1001, "less than 1001 characters"),
        (f"{COMMAND}/should_escape", "true", "must provide a boolean"),
        (f"{COMMAND}/url", "http://bot.example.com", "https URL"),
        (f"{COMMAND}/url", "not a url", "https URL"),
        ("/oauth_config/redirect_urls/0", "http://bot.example.com", "https URL"),
        ("/oauth_config/scopes/bot/0", "chat:sing", "unknown bot scope: chat:sing"),
        ("/oauth_config/scopes/user", ["Not A Scope"], "must be a scope"),
        (f"{EVENTS}/request_url", "http://bot.example.com", "https URL"),
        (f"{EVENTS}/bot_events/0", "app_home_closed", "unknown event: app_home_closed"),
        ("/settings/interactivity/request_url", "ftp://bot.example.com", "https URL"),
        ("/settings/interactivity/is_enabled", "true", "must provide a boolean"),
        ("/settings/org_deploy_enabled", None, "must provide a boolean"),
        ("/_metadata/major_version", 3, "must be between 1 and 2"),
    ],
)
def test_a_value_outside_its_limits_is_refused(pointer: str, value: object, words: str) -> None:
    (message,) = errors_of(put(pointer, value))
    assert words in message
    assert f"[json-pointer:{pointer}" in message


@pytest.mark.parametrize(
    ("pointer", "words"),
    [
        ("/display_information", "missing required field: display_information"),
        ("/display_information/name", "missing required field: name"),
        ("/features/bot_user/display_name", "missing required field: display_name"),
        (f"{COMMAND}/command", "missing required field: command"),
        (f"{COMMAND}/description", "missing required field: description"),
        ("/settings/interactivity/is_enabled", "missing required field: is_enabled"),
    ],
)
def test_a_missing_required_field_is_refused(pointer: str, words: str) -> None:
    (message,) = errors_of(without(pointer))
    assert words in message


@pytest.mark.parametrize(
    "pointer",
    [
        "/type",
        "/setings",
        "/display_information/colour",
        "/features/home",
        "/features/app_home/enabled",
        "/features/bot_user/name",
        f"{COMMAND}/hint",
        "/oauth_config/scope",
        "/oauth_config/scopes/app",
        "/settings/socket_mode",
        f"{EVENTS}/events",
        "/settings/interactivity/url",
    ],
)
def test_an_unknown_key_is_refused(pointer: str) -> None:
    (message,) = errors_of(put(pointer, "x"))
    assert f"invalid additional property: {pointer.rpartition('/')[2]}" in message


@pytest.mark.parametrize(
    ("pointer", "count", "make"),
    [
        ("/features/slash_commands", 51, lambda n: {"command": f"/c{n}", "description": "x", "url": URL}),
        ("/oauth_config/redirect_urls", 1001, lambda n: f"https://bot.example.com/{n}"),
        (f"{EVENTS}/bot_events", 101, lambda _: "app_home_opened"),
    ],
)
def test_a_list_has_a_limit(pointer: str, count: int, make: Callable[[int], object]) -> None:
    found = errors_of(put(pointer, [make(n) for n in range(count)]))
    assert f"no more than {count - 1} items allowed" in found[0]


def test_a_list_has_no_duplicates() -> None:
    (message,) = errors_of(put("/oauth_config/scopes/bot", ["commands", "commands"]))
    assert "must not contain duplicates" in message


def test_commands_need_their_scope() -> None:
    (message,) = errors_of(put("/oauth_config/scopes/bot", ["im:history", "users:read"]))
    assert "slash commands require the bot scope commands" in message


def test_a_command_is_registered_once() -> None:
    twice = [GOOD["features"]["slash_commands"][0]] * 2
    (message,) = errors_of(put("/features/slash_commands", twice))
    assert "duplicate command: /billing" in message


@pytest.mark.parametrize(("scope", "event"), [("im:history", "message.im"), ("users:read", "user_change")])
def test_an_event_needs_its_scope(scope: str, event: str) -> None:
    rest = [one for one in GOOD["oauth_config"]["scopes"]["bot"] if one != scope]
    (message,) = errors_of(put("/oauth_config/scopes/bot", rest))
    assert f"{event} requires the bot scope {scope}" in message


def test_one_of_several_scopes_is_enough_for_an_event() -> None:
    manifest = changed(put(f"{EVENTS}/bot_events", ["member_joined_channel"]))
    manifest["oauth_config"]["scopes"]["bot"].append("groups:read")
    assert app_of(manifest).events == {"member_joined_channel"}


def test_app_home_opened_requires_the_home_tab() -> None:
    (message,) = errors_of(put("/features/app_home/home_tab_enabled", False))
    assert "app_home_opened requires the home tab" in message


@pytest.mark.parametrize(
    "pointer", [f"{COMMAND}/url", f"{EVENTS}/request_url", "/settings/interactivity/request_url"]
)
def test_a_request_url_is_required_without_socket_mode(pointer: str) -> None:
    (message,) = errors_of(without(pointer))
    assert f"missing required field: {pointer.rpartition('/')[2]}" in message
    manifest = changed(without(pointer))
    manifest["settings"]["socket_mode_enabled"] = True
    assert app_of(manifest).socket_mode


def test_a_loopback_url_is_allowed_for_the_sandbox_only() -> None:
    local = put(f"{COMMAND}/url", "http://127.0.0.1:3000/slack/events")
    assert app_of(changed(local), allow_loopback=True).commands
    (message,) = errors_of(local)
    assert "https URL" in message
    foreign = put(f"{COMMAND}/url", "http://127.0.0.1.example.com/slack/events")
    assert "https URL" in errors_of(foreign, allow_loopback=True)[0]


def test_token_rotation_is_refused() -> None:
    (message,) = errors_of(put("/settings/token_rotation_enabled", True))
    assert "does not rotate tokens" in message


def test_all_errors_are_reported_together() -> None:
    def change(manifest: Json) -> None:
        put("/display_information/name", "x" * 36)(manifest)
        put(f"{COMMAND}/command", "billing")(manifest)

    assert len(errors_of(change)) == 2


async def test_features_missing_from_the_manifest_are_disabled(http: aiohttp.ClientSession) -> None:
    def change(manifest: Json) -> None:
        put("/features/app_home", {})(manifest)
        put(f"{EVENTS}/bot_events", [])(manifest)
        put("/settings/interactivity/is_enabled", False)(manifest)

    slack = SlackSandbox(directory=Directory(app=app_of(changed(change))))
    async with serve(slack.app) as url:
        slack.public_url = url
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, session=http)
        with pytest.raises(SlackApiError, match="messages_tab_disabled"):
            await client.chat_postMessage(channel="U0ADA", text="x")
        with pytest.raises(SlackApiError, match="not_enabled"):
            await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": []})
        button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
        blocks = [{"type": "actions", "elements": [button]}]
        await client.chat_postMessage(channel="C0BILLING", text="x", blocks=blocks)
        delivery = await slack.click("U0ADA", "go")
    assert delivery.error == "This app is not configured to handle interactive responses."
    assert slack.deliveries == []
