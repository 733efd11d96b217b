"""Injected outages of the Web API."""

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox


async def test_a_rate_limited_call_gets_retry_after(slack: SlackSandbox, client: AsyncWebClient) -> None:
    slack.faults.add(method="chat.postMessage", kind="ratelimited", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="U0ADA", text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert (await client.chat_postMessage(channel="U0ADA", text="x"))["ok"]


async def test_an_error_occurs_as_often_as_configured(slack: SlackSandbox, client: AsyncWebClient) -> None:
    slack.faults.add(method="*", kind="error", error="fatal_error", times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await client.auth_test()
        assert caught.value.response["error"] == "fatal_error"
    assert (await client.auth_test())["ok"]
    assert [call.answer["ok"] for call in slack.api_calls] == [False, False, True]


@pytest.mark.parametrize(("kind", "posted"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_dropped_connection_hides_whether_the_call_was_performed(
    slack: SlackSandbox, client: AsyncWebClient, kind: str, posted: int
) -> None:
    if kind == "drop_before":
        slack.faults.add(method="chat.postMessage", kind="drop_before")
    else:
        slack.faults.add(method="chat.postMessage", kind="drop_after")
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await client.chat_postMessage(channel="U0ADA", text="x")
    assert len(slack.messages(slack.dm("U0ADA"))) == posted
    assert slack.api_calls[-1].answer["error"] == "connection_dropped"


async def test_an_outage_answers_with_a_status_and_can_be_cleared(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.faults.add(method="views.publish", kind="status", status=503, times=100)
    home = {"type": "home", "blocks": []}
    with pytest.raises(SlackApiError) as caught:
        await client.views_publish(user_id="U0ADA", view=home)
    assert caught.value.response.status_code == 503
    slack.faults.clear()
    assert (await client.views_publish(user_id="U0ADA", view=home))["ok"]
