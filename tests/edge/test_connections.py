"""The server as it is started: what a connection may cost before its request, and after its answer."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot import http_protocol
from tests.edge.served import served
from tests.support.house import open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n"


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with open_house(tmp_path, worker=False) as house, served(house) as port:
        yield port


class Connection:
    """A connection on which bytes are sent as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> bytes:
        """Return the next bytes; nothing when the server has closed it."""
        try:
            async with asyncio.timeout(5):
                return await self._reader.read(4096)
        except ConnectionError:
            return b""

    async def is_closed(self) -> bool:
        """Wait until the server closes it, for a second at most."""
        try:
            async with asyncio.timeout(1):
                while await self.answer():
                    pass
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"G", GET], ids=["nothing", "one byte", "half a head"])
async def test_a_head_that_is_not_whole_in_time_ends_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    async with connected(port) as connection:
        await connection.send(sent)
        assert await connection.is_closed()


async def test_a_head_that_trickles_in_is_not_waited_for_longer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    started = time.monotonic()
    async with connected(port) as connection:
        with pytest.raises(ConnectionError):  # noqa: PT012 - one of these finds it closed
            while time.monotonic() - started < 3:
                await connection.send(b"G")
                await asyncio.sleep(0.05)
    assert time.monotonic() - started < 2


async def test_a_second_head_on_a_connection_that_is_kept_must_be_whole_in_time_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    async with connected(port) as connection:
        await connection.send(GET + b"\r\n")
        assert b" 200 " in await connection.answer()
        await asyncio.sleep(0.4)  # an idle connection is kept for longer than a head may take
        await connection.send(GET)
        assert await connection.is_closed()


async def test_an_idle_connection_is_kept_after_its_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.2)
    async with connected(port) as connection:
        for _ in range(2):
            await connection.send(GET + b"\r\n")
            assert b" 200 " in await connection.answer()
            await asyncio.sleep(0.4)  # idle for longer than a head may take


async def test_of_too_many_connections_without_a_request_the_oldest_gives_way(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "MOST_WITHOUT_HEAD", 2)
    async with connected(port) as first, connected(port) as second, connected(port) as third:
        assert await first.is_closed()
        for each in (second, third):
            await each.send(GET + b"\r\n")
            assert b" 200 " in await each.answer()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (POST + b"Content-Length: 5000000\r\n", b" 400 "),
        (POST + b"Content-Length: 5000\r\n", b" 400 "),
        (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n", b" 404 "),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n", b" 405 "),
    ],
)
async def test_an_answer_before_the_whole_body_closes_the_connection(
    port: int, head: bytes, status: bytes
) -> None:
    async with connected(port) as connection:
        await connection.send(head + b"\r\nx")
        assert status in await connection.answer()
        assert await connection.is_closed()


def signed_at_a_glance() -> bytes:
    """Headers as Slack sends them; only the body would show that the signature is made up."""
    seconds = str(int(time.time())).encode()
    return b"X-Slack-Request-Timestamp: %s\r\nX-Slack-Signature: v0=%s\r\n" % (seconds, b"0" * 64)


async def test_a_body_that_comes_too_slowly_closes_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.http.READ_BODY_SECONDS", 0.2)
    async with connected(port) as connection:
        await connection.send(POST + b"Content-Length: 100\r\n" + signed_at_a_glance() + b"\r\nx")
        assert b" 408 " in await connection.answer()
        assert await connection.is_closed()


async def test_a_body_that_is_too_large_closes_the_connection(port: int) -> None:
    async with connected(port) as connection:
        await connection.send(POST + b"Content-Length: 5000000\r\n" + signed_at_a_glance() + b"\r\nx")
        assert b" 413 " in await connection.answer()
        assert await connection.is_closed()


async def test_an_idle_connection_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    async with open_house(tmp_path, worker=False) as house, AsyncExitStack() as stack:
        port = await stack.enter_async_context(served(house))
        async with connected(port) as connection:
            await connection.send(GET + b"\r\n")
            assert b" 200 " in await connection.answer()
            async with asyncio.timeout(1):
                await stack.aclose()
