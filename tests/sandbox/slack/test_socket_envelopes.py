"""Socket Mode envelopes: their fields and their acknowledgements."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from bot.sandbox.slack import Directory, SlackApp, SlackSandbox, event_delivery
from tests.sandbox.slack.installing import listening
from tests.sandbox.slack.socket_client import Socket, connected, socket_mode_sandbox

Json = dict[str, Any]


@pytest.fixture
async def slack(clock: Callable[[], float]) -> AsyncIterator[SlackSandbox]:
    async with socket_mode_sandbox(clock) as sandbox:
        yield sandbox


async def test_a_command_and_its_answer_are_sent_in_envelopes(
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


async def test_no_request_is_sent_over_http_while_socket_mode_is_on(slack: SlackSandbox) -> None:
    async with listening(slack) as heard:
        delivery = await slack.command("U0ADA", "/billing")
        assert heard == []
        assert delivery.error == "/billing failed with the error dispatch_failed"
        assert (delivery.via, delivery.status) == ("socket", None)
        slack.socket_mode = False
        assert (await slack.command("U0ADA", "/billing")).via == "http"
        assert len(heard) == 1


async def test_socket_mode_is_off_unless_the_manifest_enables_it() -> None:
    assert SlackSandbox().socket_mode is False
    assert SlackSandbox(directory=Directory(app=SlackApp(socket_mode=True))).socket_mode is True


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


async def test_envelopes_are_distributed_over_the_connections_in_turn(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
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


async def test_a_connection_lost_during_a_command_is_an_operation_timeout(
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
