"""The HTTP edge over real sockets: what is slow, huge, deep, badly made, or asks for what is not there."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpx
import pytest
import pytest_asyncio

from tests.support.asking import filled_in
from tests.support.house import ADA, GRACE, LINUS, TEAM, House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, worker=False) as made:
        yield made


@pytest_asyncio.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    base = house.slack.app_url.removesuffix("/slack/events")
    async with httpx.AsyncClient(base_url=base) as client:
        yield client


async def raw(house: House, *pieces: bytes, pause: float = 0) -> bytes:
    """Send bytes as they are, with a pause after each piece; return everything that comes back."""
    address = urlsplit(house.slack.app_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    # At once, because an answer may come before everything is sent, and the connection ends with it.
    answer = asyncio.create_task(reader.read(4096))
    try:
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        async with asyncio.timeout(5):
            return await answer
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(*lines: str) -> bytes:
    return ("POST /slack/events HTTP/1.1\r\nHost: x\r\n" + "".join(f"{x}\r\n" for x in lines)).encode()


def looks_signed() -> list[str]:
    """Headers as Slack sends them; only the body shows that the signature is made up."""
    return [f"X-Slack-Request-Timestamp: {int(time.time())}", f"X-Slack-Signature: v0={'0' * 64}"]


async def alive(http: httpx.AsyncClient) -> bool:
    return (await http.get("/healthz")).text == "ok"


async def test_a_body_that_comes_too_slowly_is_given_up(
    house: House, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.http.READ_BODY_SECONDS", 0.2)
    answer = await raw(house, head("Content-Length: 100", *looks_signed()) + b"\r\n", b"x" * 10)
    assert b" 408 " in answer
    assert await alive(http)


async def test_a_body_without_a_length_is_cut_at_the_limit(house: House, http: httpx.AsyncClient) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    start = head("Transfer-Encoding: chunked", *looks_signed()) + b"\r\n"
    answer = await raw(house, start, *([chunk] * 20), b"0\r\n\r\n")
    assert b" 413 " in answer
    assert await alive(http)


@pytest.mark.parametrize(
    "headers", [[], ["X-Slack-Request-Timestamp: 1", f"X-Slack-Signature: v0={'0' * 64}"]]
)
async def test_a_body_whose_headers_cannot_be_slacks_is_not_read(house: House, headers: list[str]) -> None:
    answer = await raw(house, head("Content-Length: 900000", *headers) + b"\r\n")
    assert b" 400 " in answer or b" 401 " in answer


async def test_a_flood_of_bodies_without_end_holds_little_and_does_not_shut_slack_out(house: House) -> None:
    address = urlsplit(house.slack.app_url)
    start = head("Content-Length: 1000000", *looks_signed()) + b"\r\n"
    flood = []
    for _ in range(20):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(start + b"x" * 900_000)
        await writer.drain()
        flood.append((reader, writer))
    async with asyncio.timeout(3):
        assert b" 408 " in await flood[0][0].read(4096)
        delivery = await house.slack.command(ADA, "/billing help")
    assert delivery.status == 200
    for _, writer in flood:
        writer.close()


@pytest.mark.parametrize("size", [200_000, 5_000_000])
async def test_a_flood_of_headers_ends_with_its_connection(
    house: House, http: httpx.AsyncClient, size: int
) -> None:
    answer = await raw(house, head(*(f"X-{number}: {'y' * 90}" for number in range(size // 100))))
    assert b" 200 " not in answer
    assert await alive(http)


@pytest.mark.parametrize(
    "request_line",
    [b"POST /slack/events\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET  / HTTP/9.9\r\n\r\n"],
)
async def test_a_request_that_is_not_http_is_not_served(
    house: House, http: httpx.AsyncClient, request_line: bytes
) -> None:
    answer = await raw(house, request_line)
    assert b" 200 " not in answer
    assert await alive(http)


async def test_json_too_deep_for_a_parser_is_refused(house: House, http: httpx.AsyncClient) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for body, kind in (
        (deep, "application/json"),
        ('{"event":' + deep + "}", "application/json"),
        ("payload=" + quote(deep), "application/x-www-form-urlencoded"),
    ):
        answer = await house.send_signed(body, content_type=kind)
        assert answer.status == 400
    assert await alive(http)


async def test_an_unsigned_request_is_not_parsed(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: object) -> None:
        raise AssertionError("a body was read before its signature")

    monkeypatch.setattr("bot.slack.http.to_async_bolt_request", parsed)
    stamp = str(int(time.time()))
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + "0" * 64}
    answer = await http.post("/slack/events", content="[" * 900_000, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("signature", ["", "v0=", "v1=00", "v0=" + "é" * 3])
async def test_no_signature_of_any_shape_is_an_error(http: httpx.AsyncClient, signature: str) -> None:
    stamp = str(int(time.time()))
    headers = [
        (b"x-slack-request-timestamp", stamp.encode()),
        (b"x-slack-signature", signature.encode("latin-1")),
    ]
    answer = await http.post("/slack/events", content=b"text=x", headers=headers)
    assert answer.status_code in {400, 401}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/slack/events", 405),
        ("PUT", "/slack/events", 405),
        ("POST", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/slack/install", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/slack/events/../../healthz%00", 404),
        ("BREW", "/slack/events", 405),
    ],
)
async def test_unknown_methods_and_paths_are_refused(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await http.send(
        httpx.Request(method, httpx.URL(http.base_url).copy_with(raw_path=path.encode()))
    )
    assert answer.status_code == status
    assert len(answer.content) < 100


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/nowhere", "/slack/events"])
async def test_every_answer_carries_the_security_headers_and_no_banner(
    http: httpx.AsyncClient, path: str
) -> None:
    headers = (await http.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "max-age" in headers["Strict-Transport-Security"]
    assert "server" not in headers
    assert "x-powered-by" not in headers


async def test_a_workspace_has_a_rate_limit_of_its_own(house: House) -> None:
    # So slow that no machine is slower.
    house.app.runtime.workspace_rate.__init__(burst=2, per_second=0.001)  # type: ignore[misc]
    for who in (ADA, GRACE, LINUS):
        await house.slack.command(who, "/billing help")

    def told() -> bool:
        answers = [each["text"] for who in (ADA, GRACE, LINUS) for each in house.slack.ephemerals(who)]
        return any("going a bit fast" in text for text in answers)

    await house.until(told)


async def test_a_button_of_another_release_is_answered(house: House) -> None:
    payload = {
        "type": "block_actions",
        "team": {"id": "T0ACME"},
        "user": {"id": "U0ADA", "team_id": "T0ACME"},
        "actions": [{"action_id": "from_the_future", "block_id": "b", "type": "button"}],
        "container": {"type": "view"},
        "trigger_id": "1.2",
    }
    answer = await house.send_signed("payload=" + quote(json.dumps(payload)))
    assert answer.status == 200
    view = {"id": "V1", "callback_id": "from_the_future", "private_metadata": "", "type": "modal"}
    answer = await house.submit_again(view)
    assert "This has expired. Nothing was charged" in json.dumps(answer)


@pytest.mark.parametrize(
    "kind", ["workflow_step_edit", "workflow_step_execute", "function_executed", "message_action"]
)
async def test_the_app_ignores_workflow_steps(house: House, kind: str) -> None:
    person = {"id": "U0ADA", "team_id": "T0ACME"}
    payload = {"type": kind, "team": {"id": "T0ACME"}, "user": person, "callback_id": "confirm_purchase"}
    payload |= {"workflow_step": {"workflow_step_edit_id": "1", "step_id": "1"}}
    assert (await house.send_signed("payload=" + quote(json.dumps(payload)))).status == 200
    event = {
        "type": "event_callback",
        "team_id": "T0ACME",
        "event": {"type": kind, "bot_access_token": "xwfp-1", "inputs": {"user": "U0ADA"}},
    }
    answer = await house.send_signed(json.dumps(event), content_type="application/json")
    assert answer.status == 200
    assert house.slack.api_calls[1:] == []


async def test_a_submission_looks_late_by_another_clock_and_is_answered_while_slack_waits(
    house: House,
) -> None:
    await house.link(LINUS, "linus")
    await filled_in(house, user=LINUS)
    view = house.slack.view(LINUS)
    assert view is not None
    payload = {
        "type": "view_submission",
        "team": {"id": TEAM},
        "user": {"id": LINUS, "team_id": TEAM},
        "view": view,
    }
    answer = await house.send_signed("payload=" + quote(json.dumps(payload)), age=20)
    assert answer.status == 200
