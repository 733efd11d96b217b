"""The JSON API of the page: bootstrap, state, actions, the live feed, the inspector."""

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.serving import serve
from bot.sandbox.slack import GRID, SlackSandbox, app_of
from tests.sandbox.slack.page_client import GO, Page, next_of

Json = dict[str, Any]


async def test_bootstrap_lists_people_channels_and_commands(page: Page, slack: SlackSandbox) -> None:
    slack.portal_url = "http://127.0.0.1:9000"
    body = await page.get("bootstrap")
    assert body["workspace"] == {"id": "T0ACME", "name": "Acme Research"}
    assert body["teams"] == {"T0ACME": "Acme Research", "T0OTHER": "Other Labs"}
    assert body["app"] == {
        "id": "A0BILLING",
        "name": "Billing",
        "description": "",
        "bot_user_id": "U0BILLBOT",
        "read_only": False,
    }
    assert body["commands"][0]["command"] == "/billing"
    assert set(body["commands"][0]) == {"command", "usage_hint", "description"}
    assert [person["id"] for person in body["people"]] == [
        "U0ADA",
        "U0GRACE",
        "U0LINUS",
        "U0OMAR",
        "U0SASHA",
        "U0STRANGER",
    ]
    assert set(body["people"][0]) == {
        "id",
        "name",
        "real_name",
        "is_guest",
        "team_id",
        "tz",
        "title",
        "color",
        "email",
    }
    assert body["channels"][2] == {
        "id": "C0SHARED",
        "name": "shared-with-other",
        "shared": True,
        "private": False,
    }
    assert (body["portal_url"], body["can_restart"]) == ("http://127.0.0.1:9000", False)


async def test_state_merges_a_persons_ephemerals_into_their_conversations(
    page: Page, slack: SlackSandbox, client: AsyncWebClient
) -> None:
    dm = slack.dm("U0ADA")
    await slack.say("U0ADA", "hello <app>")
    await client.chat_postEphemeral(channel=dm, user="U0ADA", text="psst")
    await client.chat_postMessage(channel=dm, text="news")
    state = await page.get("state?user=U0ADA")
    assert state["dm"] == dm
    conversation = state["conversations"][dm]
    assert (conversation["kind"], conversation["name"]) == ("im", "Billing")
    told = [(one["text"], one.get("ephemeral", False)) for one in conversation["messages"]]
    assert told == [("hello &lt;app&gt;", False), ("psst", True), ("news", False)]
    assert "bot_id" not in conversation["messages"][0]
    assert (state["home"], state["stack"]) == (None, [])
    assert list((await page.get("state?user=U0STRANGER"))["conversations"]) == [
        "C0SHARED",
        slack.dm("U0STRANGER"),
    ]
    assert (await page.get("state?user=U0NOBODY"))["error"] == "user_not_found"


async def test_a_line_without_a_slash_is_posted_as_a_message(page: Page, slack: SlackSandbox) -> None:
    said = {"user": "U0ADA", "channel": "C0GENERAL", "text": "good morning"}
    assert (await page.post("command", said))["ok"] is True
    (message,) = slack.messages("C0GENERAL")
    assert (message["user"], message["text"]) == ("U0ADA", "good morning")


async def test_an_unknown_command_is_answered_as_slack_does(page: Page) -> None:
    typed = {"user": "U0ADA", "channel": "C0GENERAL", "text": "/foo bar"}
    answer = await page.post("command", typed)
    assert (answer["ok"], answer["error"]) == (False, "/foo is not a valid command.")


@pytest.mark.usefixtures("app")
async def test_a_modal_is_opened_filled_and_submitted_from_the_page(
    page: Page, slack: SlackSandbox
) -> None:
    typed = {"user": "U0ADA", "channel": "C0GENERAL", "text": "/billing"}
    answer = await page.post("command", typed)
    assert answer["ok"] is True
    assert answer["ack_ms"] > 0
    await slack.wait_for(lambda: slack.view("U0ADA"))
    (view,) = (await page.get("state?user=U0ADA"))["stack"]

    async def submit(value: str | None) -> Json:
        entry = {"type": "plain_text_input", "value": value}
        state = {"amount": {"typed": entry}}
        return await page.post("submit", {"user": "U0ADA", "view_id": view["id"], "state": state})

    assert (await submit(None))["errors"] == {"amount": "Please complete this required field."}
    assert (await submit("0"))["errors"] == {"amount": "More than nothing."}
    assert (await submit("5"))["ok"] is True
    assert slack.view("U0ADA") is None
    assert (await submit("5"))["error"] == "This view is closed."


@pytest.mark.usefixtures("app")
async def test_a_modal_is_closed_from_the_page(page: Page, slack: SlackSandbox) -> None:
    await slack.command("U0ADA", "/billing")
    view = await slack.wait_for(lambda: slack.view("U0ADA"))
    assert view is not None
    assert await page.post("close", {"user": "U0ADA", "view_id": view["id"]}) == {"ok": True}
    assert slack.view("U0ADA") is None


@pytest.mark.usefixtures("app")
async def test_home_is_opened_and_clicked_from_the_page(page: Page, slack: SlackSandbox) -> None:
    assert (await page.post("home", {"user": "U0ADA"}))["ok"] is True
    await slack.wait_for(lambda: slack.home("U0ADA"))
    click = {
        "user": "U0ADA",
        "container": {"type": "home"},
        "block_id": "buttons",
        "action_id": "go",
    }
    assert (await page.post("action", click))["ok"] is True
    gone = {**click, "action_id": "other"}
    assert (await page.post("action", gone))["error"] == "This control has changed meanwhile."


@pytest.mark.usefixtures("app")
async def test_a_message_is_clicked_from_the_page(page: Page, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="U0ADA", text="x", blocks=[GO])
    container = {"type": "message", "channel": posted["channel"], "ts": posted["ts"]}
    click = {"user": "U0ADA", "container": container, "block_id": "buttons", "action_id": "go"}
    assert (await page.post("action", click))["ok"] is True
    not_theirs = await page.post("action", {**click, "user": "U0GRACE"})
    assert not_theirs["error"] == "This message or view is gone."


@pytest.mark.parametrize("body", [{}, {"user": 5}, {"user": "U0NOBODY"}, [1]])
async def test_a_request_the_page_would_not_make_is_refused(page: Page, body: object) -> None:
    assert (await page.post("home", body))["ok"] is False


async def test_a_request_from_another_site_is_refused(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    url = f"{slack.public_url}/sandbox/command"
    said = {"user": "U0ADA", "channel": "C0GENERAL", "text": "hello"}
    for origin, status in (("https://evil.example", 403), (slack.public_url, 200)):
        async with http.post(url, json=said, headers={"Origin": origin}) as response:
            assert response.status == status
    assert len(slack.messages("C0GENERAL")) == 1


async def test_the_page_is_served(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with http.get(slack.public_url) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
    async with http.get(f"{slack.public_url}/page/index.html") as response:
        assert response.status == 200


async def test_restart_calls_the_demo(page: Page, slack: SlackSandbox) -> None:
    restarted = asyncio.Event()

    async def restart() -> None:
        restarted.set()

    assert (await page.post("restart"))["ok"] is False
    slack.restart_app = restart
    assert (await page.get("bootstrap"))["can_restart"] is True
    assert (await page.post("restart")) == {"ok": True}
    assert restarted.is_set()


async def test_a_restart_is_an_entry_of_the_inspector_and_a_failed_one_says_why(
    page: Page, slack: SlackSandbox
) -> None:
    async def restart() -> None:
        await asyncio.sleep(0.01)

    async def fail() -> None:
        raise RuntimeError("the app did not start")

    slack.restart_app = restart
    await page.post("restart")
    (entry,) = (await page.get("inspect"))["entries"]
    assert (entry["kind"], entry["name"], entry["ok"]) == ("kill", "kill -9", True)
    assert entry["ms"] >= 10
    slack.restart_app = fail
    assert await page.post("restart") == {"ok": False, "error": "the app did not start"}


async def test_starting_over_calls_the_demo_and_makes_each_page_load_itself_again(
    page: Page, slack: SlackSandbox, client: AsyncWebClient
) -> None:
    async def start_over() -> None:
        await slack.clear()
        slack.tell_started_over()

    assert (await page.post("start-over"))["ok"] is False
    slack.start_over = start_over
    assert (await page.get("bootstrap"))["can_start_over"] is True
    await client.chat_postMessage(channel=slack.dm("U0ADA"), text="old")
    await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": [GO]})
    async with page.events("U0ADA") as hers:
        await next_of(hers, "home")
        assert await page.post("start-over") == {"ok": True}
        await next_of(hers, "started_over")
    state = await page.get("state?user=U0ADA")
    assert state["conversations"][state["dm"]]["messages"] == []
    assert (state["home"], (await page.get("inspect"))["entries"]) == (None, [])
    await client.chat_postMessage(channel=slack.dm("U0ADA"), text="new")


async def test_the_home_of_a_person_from_elsewhere_says_that_the_app_is_not_there(page: Page) -> None:
    assert await page.post("home", {"user": "U0STRANGER"}) == {"ok": False, "error": "not_installed"}


async def test_the_page_shows_the_app_of_a_manifest(http: aiohttp.ClientSession) -> None:
    command = {"command": "/ledger", "description": "Look into the ledger"}
    manifest: Json = {
        "display_information": {"name": "Ledger"},
        "features": {"slash_commands": [command]},
        "oauth_config": {"scopes": {"bot": ["commands"]}},
        "settings": {"socket_mode_enabled": True},
    }
    slack = SlackSandbox(directory=replace(GRID, app=app_of(manifest)), bot_token=None)
    async with serve(slack.app) as url:
        page = Page(url, http)
        body = await page.get("bootstrap")
        assert (body["workspace"]["name"], body["app"]["name"]) == ("Grid North", "Ledger")
        assert body["commands"] == [{**command, "usage_hint": ""}]
        typed = {"user": "W0MARY", "channel": "C0NORTH", "text": "/ledger"}
        refused = await page.post("command", typed)
        assert refused["error"] == "/ledger is not a valid command."
        await slack.deactivate("W0MARY")
        assert (await page.post("command", typed))["error"] == "W0MARY is deactivated"


async def test_a_font_of_the_page_has_its_media_type_on_every_system(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{slack.public_url}/page/fonts/lato-latin-400-normal.woff2") as response:
        assert (response.status, response.content_type) == (200, "font/woff2")
        assert (await response.read()).startswith(b"wOF2")
