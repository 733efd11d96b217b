"""Commands, acknowledgements and direct messages between the sandbox and a real Bolt app."""

import asyncio
import time
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.sandbox.serving import serve
from bot.sandbox.slack import Directory, NotACommandError, SlackApp, SlackSandbox
from tests.sandbox.slack.sample_app import (
    plain_app,
)

Json = dict[str, Any]


async def test_bolt_accepts_the_signature_and_gets_every_field_of_a_command(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    seen: list[Json] = []

    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack()

    delivery = await slack.command("U0GRACE", "/billing buy 50 & <b>", channel="C0BILLING")
    assert (delivery.kind, delivery.status, delivery.error) == ("command", 200, None)
    assert 0 < delivery.ack_ms < 3000
    (body,) = seen
    assert body["text"] == "buy 50 &amp; &lt;b&gt;"
    assert (body["team_id"], body["team_domain"]) == ("T0ACME", "acme-research")
    assert (body["channel_id"], body["channel_name"]) == ("C0BILLING", "billing")
    assert (body["user_id"], body["user_name"]) == ("U0GRACE", "grace")
    assert (body["api_app_id"], body["is_enterprise_install"]) == ("A0BILLING", "false")
    assert body["response_url"].startswith(slack.public_url)
    assert slack.deliveries == [delivery]


@pytest.mark.usefixtures("bolt")
async def test_bolt_refuses_a_forged_or_stale_request(slack: SlackSandbox) -> None:
    body, now = "command=%2Fbilling", str(int(time.time()))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = {**form, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": "v0=00"}
    assert (await slack.send_raw(body, forged)).status == 401
    old = str(int(time.time()) - 301)
    stale = {**form, "X-Slack-Request-Timestamp": old, "X-Slack-Signature": slack.sign(body, old)}
    assert (await slack.send_raw(body, stale)).status == 401


async def test_only_registered_commands_exist(slack: SlackSandbox) -> None:
    with pytest.raises(NotACommandError, match="/refund is not a valid command"):
        await slack.command("U0ADA", "/refund")
    with pytest.raises(LookupError, match="is not in"):
        await slack.command("U0STRANGER", "/billing", channel="C0GENERAL")
    assert slack.deliveries == []


@pytest.mark.parametrize(
    ("ack_arguments", "private"),
    [
        ({"text": "hello"}, True),
        ({"text": "hello", "blocks": [{"type": "divider"}]}, True),
        ({"text": "hello", "response_type": "in_channel"}, False),
    ],
)
async def test_an_acknowledgement_with_text_becomes_a_message(
    slack: SlackSandbox, bolt: AsyncApp, ack_arguments: Json, private: bool
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack(**ack_arguments)

    await slack.command("U0ADA", "/billing")
    shown = slack.ephemerals("U0ADA") if private else slack.messages("C0GENERAL")
    assert [message["text"] for message in shown] == ["hello"]


async def test_invalid_blocks_in_an_acknowledgement_are_reported_and_recorded(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack(text="x", blocks=[{"type": "banner"}])

    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error invalid_command_response"
    assert slack.violations[0].where == "ack"


async def test_a_late_acknowledgement_is_an_operation_timeout(slack: SlackSandbox) -> None:
    slack.ack_deadline = 0.05
    released = asyncio.Event()

    async def sleepy(_request: Request) -> Response:
        await released.wait()
        return PlainTextResponse("")

    async with plain_app(slack, sleepy):
        delivery = await slack.command("U0ADA", "/billing")
        released.set()
    assert delivery.error == "/billing failed with the error operation_timeout"
    assert (delivery.status, delivery.failure) == (None, "operation_timeout")
    assert delivery.ack_ms >= 50


async def test_a_server_error_is_a_dispatch_failure(slack: SlackSandbox) -> None:
    async def broken(_request: Request) -> Response:
        return PlainTextResponse("oops", status_code=500)

    async with plain_app(slack, broken):
        delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error dispatch_failed"
    assert (delivery.status, delivery.response) == (500, "oops")


async def test_an_unreachable_app_is_a_dispatch_failure(slack: SlackSandbox) -> None:
    async def unused(_request: Request) -> Response:
        return PlainTextResponse("")

    async with plain_app(slack, unused):
        pass
    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error dispatch_failed"
    assert delivery.status is None


async def test_work_after_the_acknowledgement_can_be_waited_for(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("done")

    await slack.command("U0ADA", "/billing")
    (answer,) = await slack.wait_for(lambda: slack.ephemerals("U0ADA"))
    assert answer["text"] == "done"
    with pytest.raises(TimeoutError, match="response_url: ok"):
        await slack.wait_for(lambda: slack.view("U0ADA"), timeout=0.01)


async def test_messages_in_the_apps_dm_are_sent_only_with_a_subscription() -> None:
    heard: list[Json] = []

    async def listening(request: Request) -> Response:
        heard.append((await request.json())["event"])
        return PlainTextResponse("")

    app = SlackApp(events=frozenset({"message.im"}))
    sandbox = SlackSandbox(directory=Directory(app=app))
    async with serve(sandbox.app), plain_app(sandbox, listening):
        await sandbox.say("U0ADA", "hello")
        await sandbox.say("U0ADA", "to all", channel="C0GENERAL")
        assert await sandbox.open_home("U0ADA") is None
    (event,) = heard
    assert (event["type"], event["channel_type"], event["text"]) == ("message", "im", "hello")
