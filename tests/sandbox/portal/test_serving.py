from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.sandbox.serving import drop_connection, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.url.path}")


async def hang(request: Request) -> Response:
    await asyncio.sleep(60)
    return PlainTextResponse(request.url.path)


async def stream(request: Request) -> Response:
    async def lines() -> AsyncIterator[bytes]:
        while True:
            yield request.url.path.encode()
            await asyncio.sleep(0.01)

    return StreamingResponse(lines(), media_type="text/event-stream")


APP = Starlette(routes=[Route("/hello", hello), Route("/hang", hang), Route("/stream", stream)])


async def test_port_zero_binds_a_free_port_and_yields_its_url() -> None:
    async with serve(APP) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/hello")).text == "hello /hello"
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as client:
            await client.get(f"{url}/hello")


async def test_a_port_in_use_raises_os_error() -> None:
    async with serve(APP) as url:
        with pytest.raises(OSError, match="in use"):
            async with serve(APP, port=int(url.rpartition(":")[2])):
                pytest.fail("two servers on one port")


async def test_hanging_and_streaming_requests_do_not_delay_the_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with httpx.AsyncClient() as client:
        async with serve(APP) as url:
            hanging = asyncio.create_task(client.get(f"{url}/hang"))
            streaming = asyncio.create_task(client.get(f"{url}/stream"))
            await asyncio.sleep(0.1)
            started = time.perf_counter()
        assert time.perf_counter() - started < 2
        ends = await asyncio.gather(hanging, streaming, return_exceptions=True)
    assert all(isinstance(end, httpx.TransportError) for end in ends)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_an_idle_server_stops_at_once() -> None:
    async with httpx.AsyncClient() as client:
        async with serve(APP) as url:
            await client.get(f"{url}/hello")
            started = time.perf_counter()
        assert time.perf_counter() - started < 0.2


async def test_answers_on_a_kept_connection_come_without_delay() -> None:
    async with serve(APP) as url, httpx.AsyncClient() as client:
        started = time.perf_counter()
        for _ in range(30):
            await client.get(f"{url}/hello")
        assert time.perf_counter() - started < 30 * 0.03


async def test_signal_handlers_are_left_unchanged() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with serve(APP):
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_an_exception_in_the_block_stops_the_server_and_passes_on() -> None:
    with pytest.raises(LookupError):
        async with serve(APP) as url:
            raise LookupError(url)
    with socket.socket() as probe:
        host, _, port = url.removeprefix("http://").partition(":")
        assert probe.connect_ex((host, int(port))) != 0


async def test_dropping_a_connection_requires_this_server() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    with pytest.raises(RuntimeError, match="serve only"):
        await drop_connection({"type": "http"}, receive)
