"""Socket Mode with slack-sdk's own client and Bolt."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.installing import client_of
from tests.sandbox.slack.page_client import MODAL
from tests.sandbox.slack.socket_client import socket_mode_sandbox

Json = dict[str, Any]


GO: Json = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


@pytest.fixture
async def slack(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    async with socket_mode_sandbox(clock) as sandbox:
        yield sandbox


@pytest.fixture
async def bolt(slack: SlackSandbox, http: aiohttp.ClientSession) -> AsyncIterator[AsyncApp]:
    """Return a Bolt app that is connected by slack-sdk's client."""
    client = client_of(slack, http, slack.bot_token)
    app = AsyncApp(client=client, signing_secret=slack.signing_secret)
    handler = AsyncSocketModeHandler(app, slack.app_token, ping_interval=0.2)
    await handler.client.connect()  # type: ignore[no-untyped-call]
    await slack.wait_for(lambda: slack.connections == 1)
    yield app
    await handler.client.close()  # type: ignore[no-untyped-call]


async def test_bolt_answers_everything_over_its_socket(slack: SlackSandbox, bolt: AsyncApp) -> None:
    seen: list[Json] = []

    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json, client: AsyncWebClient, respond: AsyncRespond) -> None:
        seen.append(body)
        await ack("one moment")
        await respond("opening")
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @bolt.view("buy")
    async def handle_buy(ack: AsyncAck, view: Json) -> None:
        if view["state"]["values"]["amount"]["typed"]["value"] == "0":
            await ack(response_action="errors", errors={"amount": "More than nothing."})
        else:
            await ack(
                response_action="update", view={**MODAL, "title": {"type": "plain_text", "text": "Done"}}
            )

    @bolt.action("go")
    async def handle_go(ack: AsyncAck) -> None:
        await ack()

    @bolt.event("app_home_opened")
    async def handle_home(event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [GO]})

    await slack.command("U0ADA", "/billing buy")
    assert seen[0]["text"] == "buy"
    await slack.wait_for(lambda: slack.view("U0ADA"))
    assert {one["text"] for one in slack.ephemerals("U0ADA")} == {"one moment", "opening"}
    await slack.type("U0ADA", "amount", "0")
    assert (await slack.submit("U0ADA")).errors == {"amount": "More than nothing."}
    await slack.type("U0ADA", "amount", "50")
    assert (await slack.submit("U0ADA")).status == 200
    (view,) = slack.views("U0ADA")
    assert view["title"]["text"] == "Done"
    await slack.open_home("U0ADA")
    await slack.wait_for(lambda: slack.home("U0ADA"))
    assert (await slack.click("U0ADA", "go", in_="home")).status == 200
    assert {one.via for one in slack.deliveries} == {"socket"}
    assert slack.violations == []


async def test_an_unhandled_command_is_never_acknowledged(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/another")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    slack.ack_deadline = 0.2
    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.failure == "operation_timeout"


async def test_the_sdk_reconnects_after_a_refresh(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    await slack.refresh_sockets()
    await slack.wait_for(lambda: slack.connections == 1)
    assert (await slack.command("U0ADA", "/billing")).status == 200
    opened = [call.method for call in slack.api_calls].count("apps.connections.open")
    assert opened == 2


async def test_the_sdk_reconnects_after_a_dropped_connection(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    await slack.drop_sockets()
    lost = await slack.command("U0ADA", "/billing")
    assert lost.error == "/billing failed with the error dispatch_failed"
    await slack.wait_for(lambda: slack.connections == 1)
    assert (await slack.command("U0ADA", "/billing")).status == 200
