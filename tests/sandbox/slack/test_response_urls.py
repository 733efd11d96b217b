"""response_urls: five uses, thirty minutes, replacing and deleting."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]
GO: Json = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


@pytest.fixture
async def url(slack: SlackSandbox, bolt: AsyncApp) -> str:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    @bolt.action("go")
    async def handle_go(ack: AsyncAck) -> None:
        await ack()

    return str((await slack.command("U0ADA", "/billing")).body["response_url"])


async def post(http: aiohttp.ClientSession, url: str, body: Json) -> tuple[int, str]:
    async with http.post(url, json=body) as response:
        return response.status, await response.text()


def texts(messages: list[Json]) -> list[str]:
    return [message["text"] for message in messages]


async def test_a_url_works_five_times(slack: SlackSandbox, http: aiohttp.ClientSession, url: str) -> None:
    for n in range(5):
        assert await post(http, url, {"text": f"{n}"}) == (200, "ok")
    status, body = await post(http, url, {"text": "6"})
    assert (status, body) == (404, '{"ok":false,"error":"used_url"}')
    assert texts(slack.ephemerals("U0ADA")) == ["0", "1", "2", "3", "4"]


async def test_a_url_expires_after_thirty_minutes(
    http: aiohttp.ClientSession, url: str, move: Callable[[float], None]
) -> None:
    move(1800)
    assert (await post(http, url, {"text": "in time"}))[0] == 200
    move(1)
    assert await post(http, url, {"text": "late"}) == (404, '{"ok":false,"error":"expired_url"}')
    unknown = url.rpartition("/")[0] + "/0000"
    assert (await post(http, unknown, {"text": "x"}))[0] == 404


async def test_an_answer_is_private_unless_it_asks_for_the_channel(
    slack: SlackSandbox, http: aiohttp.ClientSession, url: str
) -> None:
    await post(http, url, {"text": "private"})
    await post(http, url, {"text": "public", "response_type": "in_channel"})
    assert texts(slack.ephemerals("U0ADA")) == ["private"]
    assert texts(slack.messages("C0GENERAL")) == ["public"]


async def test_a_commands_url_replaces_its_last_message(
    slack: SlackSandbox, http: aiohttp.ClientSession, url: str
) -> None:
    await post(http, url, {"text": "first"})
    await post(http, url, {"text": "second"})
    await post(http, url, {"text": "third", "replace_original": True})
    assert texts(slack.ephemerals("U0ADA")) == ["first", "third"]
    await post(http, url, {"delete_original": True})
    assert texts(slack.ephemerals("U0ADA")) == ["first"]


async def test_a_commands_url_can_post_a_new_message_instead_of_replacing(
    slack: SlackSandbox, http: aiohttp.ClientSession, url: str
) -> None:
    slack.command_urls_replace = False
    await post(http, url, {"text": "first"})
    await post(http, url, {"text": "second", "replace_original": True})
    assert texts(slack.ephemerals("U0ADA")) == ["first", "second"]


async def test_a_clicks_url_replaces_the_ephemeral_it_came_from(
    slack: SlackSandbox, http: aiohttp.ClientSession, url: str
) -> None:
    await post(http, url, {"text": "before", "blocks": [GO]})
    clicked = (await slack.click("U0ADA", "go")).body["response_url"]
    before = slack.ephemerals("U0ADA")[0]["ts"]
    await post(http, clicked, {"text": "after", "replace_original": True})
    (after,) = slack.ephemerals("U0ADA")
    assert (after["ts"], after["text"], after["blocks"]) == (before, "after", [])
    await post(http, clicked, {"text": "another"})
    await post(http, clicked, {"delete_original": True})
    assert texts(slack.ephemerals("U0ADA")) == ["another"]


async def test_a_clicks_url_replaces_the_message_it_came_from(
    slack: SlackSandbox, http: aiohttp.ClientSession, client: AsyncWebClient, url: str
) -> None:
    assert url
    await client.chat_postMessage(channel="U0ADA", text="before", blocks=[GO])
    clicked = (await slack.click("U0ADA", "go")).body["response_url"]
    await post(http, clicked, {"text": "after", "replace_original": True})
    (message,) = slack.messages(slack.dm("U0ADA"))
    assert message["text"] == "after"
    assert message["edited"]["user"] == "U0BILLBOT"


async def test_invalid_blocks_are_refused_and_recorded(
    slack: SlackSandbox, http: aiohttp.ClientSession, url: str
) -> None:
    status, body = await post(http, url, {"text": "x", "blocks": [{"type": "banner"}]})
    assert status == 400
    assert "invalid_blocks" in body
    assert slack.violations[0].where == "response_url"
    assert [call.method for call in slack.api_calls] == ["auth.test", "response_url"]
