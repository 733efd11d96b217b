"""Socket Mode: the protocol as it stands on the wire, and slack-sdk's own client at the other end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.serving import serve
from bot.sandbox.slack import Cast, SlackApp, SlackSandbox, event_delivery
from bot.sandbox.slack.inspector import shortened
from tests.sandbox.slack.installing import client_of, listening

Json = dict[str, Any]

MODAL: Json = {
    "type": "modal",
    "callback_id": "buy",
    "title": {"type": "plain_text", "text": "Add funds"},
    "submit": {"type": "plain_text", "text": "Pay"},
    "blocks": [
        {
            "type": "input",
            "block_id": "amount",
            "label": {"type": "plain_text", "text": "Amount"},
            "element": {"type": "plain_text_input", "action_id": "typed"},
        }
    ],
}
GO: Json = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


@pytest.fixture
async def slack(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(now=clock)
    sandbox.socket_mode = True
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        yield sandbox


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


class Socket:
    """A connection of an app that knows the bare protocol."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.hello: Json = {}

    async def next(self) -> Json:
        message: Json = await self.websocket.receive_json()
        return message

    async def acknowledge(self, envelope: Json, **payload: object) -> None:
        answer: Json = {"envelope_id": envelope["envelope_id"]}
        await self.websocket.send_json({**answer, "payload": payload} if payload else answer)

    async def ends(self) -> bool:
        ends = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        return (await self.websocket.receive()).type in ends


async def url_of(slack: SlackSandbox, http: aiohttp.ClientSession) -> str:
    answer = await client_of(slack, http).apps_connections_open(app_token=slack.app_token)
    return str(answer["url"])


@asynccontextmanager
async def connected(slack: SlackSandbox, http: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    async with http.ws_connect(await url_of(slack, http)) as websocket:
        socket = Socket(websocket)
        socket.hello = await socket.next()
        yield socket


async def test_a_connection_is_greeted(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with connected(slack, http) as first, connected(slack, http) as second:
        assert first.hello["type"] == "hello"
        assert first.hello["connection_info"] == {"app_id": "A0BILLING"}
        assert first.hello["debug_info"]["approximate_connection_time"] > 0
        assert [first.hello["num_connections"], second.hello["num_connections"]] == [1, 2]
        assert slack.connections == 2
    await slack.wait_for(lambda: slack.connections == 0)


async def test_an_address_works_once(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    url = await url_of(slack, http)
    assert url.startswith(slack.public_url.replace("http", "ws") + "/link/?ticket=")
    async with http.ws_connect(url):
        pass
    for wrong in (url, url.replace("ticket=", "ticket=x"), url.partition("?")[0]):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(wrong)
        assert caught.value.status == 403


async def test_only_the_app_level_token_opens_connections(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = client_of(slack, http)
    assert await refusal_of(client.apps_connections_open(app_token="xapp-wrong")) == "invalid_auth"
    bot = client.apps_connections_open(app_token=slack.bot_token)
    assert await refusal_of(bot) == "not_allowed_token_type"
    assert await refusal_of(client.api_call("apps.connections.open")) == "not_authed"
    app = client_of(slack, http, slack.app_token)
    assert await refusal_of(app.chat_postMessage(channel="U0ADA", text="x")) == "not_allowed_token_type"


async def test_the_inspector_shows_no_ticket_and_no_token(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    url = await url_of(slack, http)
    ticket = url.partition("ticket=")[2].partition("&")[0]
    shown = str(slack.inspector.entries)
    assert "apps.connections.open" in shown
    assert ticket not in shown
    assert shortened(f"token {slack.app_token}") == "token xapp-1-A0…"


async def test_an_eleventh_connection_is_one_too_many(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(slack, http))
        eleventh = await stack.enter_async_context(connected(slack, http))
        assert (eleventh.hello["type"], eleventh.hello["reason"]) == ("disconnect", "too_many_websockets")
        assert await eleventh.ends()
        assert slack.connections == 10


async def test_a_command_travels_in_an_envelope_and_its_answer_too(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as socket:
        typing = asyncio.create_task(slack.command("U0ADA", "/billing buy 50"))
        envelope = await socket.next()
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
        assert "retry_attempt" not in envelope
        payload = envelope["payload"]
        assert (payload["command"], payload["text"], payload["user_id"]) == ("/billing", "buy 50", "U0ADA")
        await socket.acknowledge(envelope, text="hello")
        delivery = await typing
    assert (delivery.via, delivery.status, delivery.error) == ("socket", 200, None)
    assert delivery.response == {"text": "hello"}
    assert 0 < delivery.ack_ms < 3000
    assert delivery.body == payload
    assert slack.deliveries == [delivery]
    assert slack.ephemerals("U0ADA")[0]["text"] == "hello"


async def test_nothing_goes_over_http_while_it_is_on(slack: SlackSandbox) -> None:
    async with listening(slack) as heard:
        delivery = await slack.command("U0ADA", "/billing")
        assert heard == []
        assert delivery.error == "/billing failed with the error dispatch_failed"
        assert (delivery.via, delivery.status) == ("socket", None)
        slack.socket_mode = False
        assert (await slack.command("U0ADA", "/billing")).via == "http"
        assert len(heard) == 1


async def test_it_is_off_unless_the_manifest_turns_it_on() -> None:
    assert SlackSandbox().socket_mode is False
    assert SlackSandbox(cast=Cast(app=SlackApp(socket_mode=True))).socket_mode is True


async def test_an_envelope_without_an_answer_is_an_operation_timeout(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    slack.ack_deadline = 0.1
    async with connected(slack, http) as socket:
        typing = asyncio.create_task(slack.command("U0ADA", "/billing"))
        envelope = await socket.next()
        for nonsense in ("not json", "[]", '{"envelope_id": "another"}', "{}"):
            await socket.websocket.send_str(nonsense)
        await socket.websocket.send_bytes(b"\x00")
        delivery = await typing
        await socket.acknowledge(envelope)
        assert delivery.error == "/billing failed with the error operation_timeout"
        assert delivery.ack_ms >= 100
        assert slack.connections == 1


async def test_an_answer_may_come_over_another_connection(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as first, connected(slack, http) as second:
        typing = asyncio.create_task(slack.command("U0ADA", "/billing"))
        envelope = await first.next()
        await second.acknowledge(envelope)
        await second.acknowledge(envelope)
        assert (await typing).status == 200


async def test_envelopes_go_round_the_connections(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    got: list[int] = []

    async def answer(number: int, socket: Socket) -> None:
        while True:
            envelope = await socket.next()
            got.append(number)
            await socket.acknowledge(envelope)

    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(slack, http)) for _ in range(3)]
        answering = [asyncio.create_task(answer(n, socket)) for n, socket in enumerate(sockets)]
        for _ in range(6):
            await slack.command("U0ADA", "/billing")
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
    assert got == [0, 1, 2, 0, 1, 2]


async def test_an_event_that_is_not_acknowledged_is_sent_again(
    slack: SlackSandbox, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_delivery, "RETRY_SECONDS", (0, 0, 0))
    slack.ack_deadline = 0.05
    async with connected(slack, http) as socket:
        telling = asyncio.create_task(slack.event({"type": "app_uninstalled"}))
        envelopes = [await socket.next() for _ in range(3)]
        await socket.acknowledge(envelopes[2])
        await telling
        await slack.wait_for(lambda: len(slack.deliveries) == 3)
    assert [one["type"] for one in envelopes] == ["events_api"] * 3
    assert [one["accepts_response_payload"] for one in envelopes] == [False] * 3
    told = [(one["retry_attempt"], one["retry_reason"]) for one in envelopes]
    assert told == [(0, ""), (1, "timeout"), (2, "timeout")]
    assert len({one["payload"]["event_id"] for one in envelopes}) == 1
    assert [one.failure for one in slack.deliveries] == ["operation_timeout"] * 2 + [None]


async def test_a_ping_is_answered(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(await url_of(slack, http), autoping=False) as websocket:
        await websocket.receive()
        await websocket.ping(b"sdk-ping-pong:1")
        pong = await websocket.receive()
        assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1")


async def test_a_refresh_waits_for_the_new_connection_before_it_closes_the_old(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as old:
        refreshing = asyncio.create_task(slack.refresh_sockets())
        asked = await old.next()
        assert (asked["type"], asked["reason"]) == ("disconnect", "refresh_requested")
        typing = asyncio.create_task(slack.command("U0ADA", "/billing"))
        await old.acknowledge(await old.next())
        assert (await typing).status == 200
        assert not refreshing.done()
        async with connected(slack, http) as new:
            typing = asyncio.create_task(slack.command("U0ADA", "/billing"))
            await new.acknowledge(await new.next())
            assert (await typing).status == 200
            assert await old.ends()
            await refreshing
            await slack.wait_for(lambda: slack.connections == 1)


async def test_a_refresh_that_is_not_heeded_ends_the_connection_all_the_same(
    slack: SlackSandbox, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sandbox.slack.socket_mode.GRACE_SECONDS", 0.05)
    async with connected(slack, http) as socket:
        await slack.refresh_sockets()
        assert (await socket.next())["type"] == "disconnect"
        assert await socket.ends()


async def test_connections_can_be_cut_without_a_word(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as socket:
        await slack.drop_sockets()
        assert slack.connections == 0
        message = await socket.websocket.receive()
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert socket.websocket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_the_end_of_the_server_closes_connections_in_order(http: aiohttp.ClientSession) -> None:
    slack = SlackSandbox()
    async with AsyncExitStack() as stack:
        async with serve(slack.app) as url:
            slack.public_url = url
            socket = await stack.enter_async_context(connected(slack, http))
            ending = asyncio.create_task(socket.ends())
        assert await ending
        assert socket.websocket.close_code == aiohttp.WSCloseCode.SERVICE_RESTART
        assert slack.connections == 0


async def test_a_client_that_does_not_answer_cannot_hold_the_servers_end(
    http: aiohttp.ClientSession,
) -> None:
    slack = SlackSandbox()
    async with AsyncExitStack() as stack:
        async with serve(slack.app) as url:
            slack.public_url = url
            await stack.enter_async_context(connected(slack, http))
            started = time.perf_counter()
        assert time.perf_counter() - started < 3
        assert slack.connections == 0


async def test_closing_the_sandbox_closes_connections_in_order(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as socket:
        await slack.aclose()
        assert await socket.ends()
        assert socket.websocket.close_code == aiohttp.WSCloseCode.OK


@pytest.fixture
async def bolt(slack: SlackSandbox, http: aiohttp.ClientSession) -> AsyncIterator[AsyncApp]:
    """A Bolt app behind slack-sdk's client, connected."""
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


async def test_what_bolt_does_not_handle_is_never_acknowledged(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/another")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    slack.ack_deadline = 0.2
    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.failure == "operation_timeout"


async def test_the_sdk_comes_back_after_a_refresh(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    await slack.refresh_sockets()
    await slack.wait_for(lambda: slack.connections == 1)
    assert (await slack.command("U0ADA", "/billing")).status == 200
    opened = [call.method for call in slack.api_calls].count("apps.connections.open")
    assert opened == 2


async def test_the_sdk_comes_back_after_a_cut(slack: SlackSandbox, bolt: AsyncApp) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    await slack.drop_sockets()
    lost = await slack.command("U0ADA", "/billing")
    assert lost.error == "/billing failed with the error dispatch_failed"
    await slack.wait_for(lambda: slack.connections == 1)
    assert (await slack.command("U0ADA", "/billing")).status == 200


async def test_a_cut_while_the_app_works_is_an_operation_timeout(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    slack.ack_deadline = 0.2
    async with connected(slack, http) as socket:
        started = time.perf_counter()
        typing = asyncio.create_task(slack.command("U0ADA", "/billing"))
        await socket.next()
        await slack.drop_sockets()
        assert (await typing).failure == "operation_timeout"
        assert time.perf_counter() - started < 2
