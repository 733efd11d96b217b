"""Socket Mode connections: how they are opened, renewed and closed."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.inspector import redacted
from tests.sandbox.slack.installing import client_of
from tests.sandbox.slack.socket_client import connected, socket_mode_sandbox, url_of

Json = dict[str, Any]


@pytest.fixture
async def slack(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    async with socket_mode_sandbox(clock) as sandbox:
        yield sandbox


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_new_connection_receives_hello(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with connected(slack, http) as first, connected(slack, http) as second:
        assert first.hello["type"] == "hello"
        assert first.hello["connection_info"] == {"app_id": "A0BILLING"}
        assert first.hello["debug_info"]["approximate_connection_time"] > 0
        assert [first.hello["num_connections"], second.hello["num_connections"]] == [1, 2]
        assert slack.connections == 2
    await slack.wait_for(lambda: slack.connections == 0)


async def test_a_connection_url_works_once(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
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
    assert redacted(f"token {slack.app_token}") == "token xapp-1-A0…"


async def test_an_eleventh_connection_is_refused(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(slack, http))
        eleventh = await stack.enter_async_context(connected(slack, http))
        assert (eleventh.hello["type"], eleventh.hello["reason"]) == ("disconnect", "too_many_websockets")
        assert await eleventh.ends()
        assert slack.connections == 10


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


async def test_a_refresh_closes_a_connection_that_the_app_does_not_renew(
    slack: SlackSandbox, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sandbox.slack.socket_mode.GRACE_SECONDS", 0.05)
    async with connected(slack, http) as socket:
        await slack.refresh_sockets()
        assert (await socket.next())["type"] == "disconnect"
        assert await socket.ends()


async def test_connections_can_be_dropped_without_a_close_frame(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as socket:
        await slack.drop_sockets()
        assert slack.connections == 0
        message = await socket.websocket.receive()
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert socket.websocket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_stopping_the_server_closes_connections_with_a_close_frame(
    http: aiohttp.ClientSession,
) -> None:
    slack = SlackSandbox()
    async with AsyncExitStack() as stack:
        async with serve(slack.app) as url:
            slack.public_url = url
            socket = await stack.enter_async_context(connected(slack, http))
            ending = asyncio.create_task(socket.ends())
        assert await ending
        assert socket.websocket.close_code == aiohttp.WSCloseCode.SERVICE_RESTART
        assert slack.connections == 0


async def test_a_silent_client_does_not_delay_the_servers_stop(
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


async def test_closing_the_sandbox_closes_connections_with_a_close_frame(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with connected(slack, http) as socket:
        await slack.aclose()
        assert await socket.ends()
        assert socket.websocket.close_code == aiohttp.WSCloseCode.OK
