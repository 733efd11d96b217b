"""The page's feed and its inspector."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.page_client import Page, events_of, next_of

Json = dict[str, Any]


@pytest.mark.usefixtures("app")
async def test_the_feed_sends_each_change_to_the_people_who_see_it(
    page: Page, slack: SlackSandbox, client: AsyncWebClient
) -> None:
    async with page.events("U0ADA") as hers, page.events("U0GRACE") as theirs:
        assert (await next_of(hers, "home"))["home"] is None
        await next_of(theirs, "home")
        await client.chat_postMessage(channel="C0BILLING", text="for all")
        for feed in (hers, theirs):
            event = await next_of(feed, "conversation")
            assert event["channel"] == "C0BILLING"
            assert [message["text"] for message in event["messages"]] == ["for all"]
        await client.chat_postMessage(channel="U0ADA", text="for her")
        assert (await next_of(hers, "conversation"))["channel"] == slack.dm("U0ADA")
        await slack.command("U0ADA", "/billing")
        (view,) = (await next_of(hers, "stack"))["stack"]
        assert view["callback_id"] == "buy"
        await slack.open_home("U0ADA")
        assert (await next_of(hers, "home"))["home"]["blocks"][0]["block_id"] == "buttons"
        await slack.say("U0GRACE", "bye")
        assert (await next_of(theirs, "conversation"))["channel"] == slack.dm("U0GRACE")


async def test_the_feed_shows_errors_and_traffic(page: Page, slack: SlackSandbox) -> None:
    slack.app_url = "http://127.0.0.1:1/slack/events"
    async with page.events("U0ADA") as feed:
        await next_of(feed, "home")
        await slack.command("U0ADA", "/billing")
        error = await next_of(feed, "error")
        assert error["where"] == "command"
        assert error["text"] == "/billing failed with the error dispatch_failed"
        entry = (await next_of(feed, "inspect"))["entry"]
        assert (entry["direction"], entry["kind"], entry["ok"]) == ("to_app", "command", False)


async def test_a_feed_ends_when_the_server_stops(http: aiohttp.ClientSession) -> None:
    sandbox = SlackSandbox()
    async with serve(sandbox.app) as url:
        response = await http.get(f"{url}/sandbox/events?user=U0ADA")
        assert response.status == 200
    with pytest.raises((aiohttp.ClientError, AssertionError)):
        await asyncio.wait_for(next_of(events_of(response), "error"), timeout=3)
    response.close()


@pytest.mark.usefixtures("app")
async def test_the_inspector_adds_notes_and_redacts_secrets(
    page: Page, slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    delivery = await slack.command("U0ADA", "/billing")
    await slack.wait_for(lambda: slack.view("U0ADA"))
    secret = delivery.body["response_url"].rpartition("/")[2]
    async with http.post(delivery.body["response_url"], json={"text": "x"}) as response:
        assert response.status == 200
    entries = (await page.get("inspect"))["entries"]
    by_name = {entry["name"]: entry for entry in entries}
    command = by_name["/billing"]
    assert set(command) == {
        "id",
        "at",
        "direction",
        "kind",
        "name",
        "user",
        "ok",
        "status",
        "ms",
        "request",
        "response",
        "note",
    }
    assert command["note"].startswith("Slack waits 3 s for this acknowledgement")
    assert by_name["views.open"]["note"] == "A trigger_id opens one view within 3 s."
    assert by_name["response_url"]["user"] == "U0ADA"
    everything = json.dumps(entries)
    assert secret not in everything
    assert slack.bot_token not in everything
    assert "sandbox-verification-token" not in everything
    assert [entry["id"] for entry in entries] == list(range(1, len(entries) + 1))


async def test_the_inspector_keeps_the_last_300_entries(
    page: Page, slack: SlackSandbox, client: AsyncWebClient
) -> None:
    for _ in range(301):
        slack.inspector.record(
            {
                "at": 0.0,
                "direction": "from_app",
                "kind": "api",
                "name": "auth.test",
                "ok": True,
                "status": 200,
                "ms": 0.1,
                "request": {},
                "response": {},
            }
        )
    entries = (await page.get("inspect"))["entries"]
    assert (len(entries), entries[0]["id"]) == (300, 2)
    assert (await client.auth_test())["ok"]
