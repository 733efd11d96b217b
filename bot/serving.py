"""Serving: the HTTP listener, and the two long-running commands."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from typing import TYPE_CHECKING

import structlog
import uvicorn

from bot.app import Listener, open_app
from bot.http_protocol import HttpProtocol
from bot.startup import StartError
from bot.timing import GRACE_SECONDS, KEEP_ALIVE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from bot.settings import Settings

GARBAGE_THRESHOLD = 20_000

log = structlog.get_logger(__name__)


async def serve(
    settings: Settings, stop: asyncio.Event, *, worker: bool = True, socket_mode: bool = False
) -> None:
    """Serve HTTP and work until `stop` is set; with `socket_mode`, requests come over a WebSocket.

    Raises:
        StartError: the address is in use, or as `open_app`.
    """
    listener = Listener.SOCKET if socket_mode else Listener.HTTP
    with listen(settings) as address:
        async with open_app(settings, listener=listener, worker=worker) as app:
            settle_memory()
            await serve_http(app.asgi, address, stop)


async def work(settings: Settings, stop: asyncio.Event, *, http: bool = False) -> None:
    """Work until `stop` is set; with `http`, serve health and metrics, but no requests from Slack.

    Raises:
        StartError: the address is in use, or as `open_app`.
    """
    async with open_app(settings, listener=Listener.NONE) as app:
        settle_memory()
        if not http:
            await stop.wait()
            return
        with listen(settings) as address:
            await serve_http(app.asgi, address, stop)


def settle_memory() -> None:
    """Exclude long-lived objects from garbage collection. Call once, after the start.

    To the collector, thousands of waiting requests look like long-lived objects. With Python's default
    threshold it scanned all of them every few seconds, and every request waited 0.17 s.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on HOST and PORT.

    Raises:
        StartError: the address is in use, or is not this machine's.
    """
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as error:
        raise StartError(
            f"HOST, PORT: {settings.host}:{settings.port} cannot be listened on: {error.strerror}"
        ) from None
    # asyncio leaves Nagle's algorithm on for this socket, which delays an answer by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def serve_http(asgi: Starlette, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve an ASGI app until `stop` is set; open requests then get GRACE_SECONDS."""
    config = uvicorn.Config(
        asgi,
        http=HttpProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than proxies keep an idle connection, so that it is not closed under a request of theirs.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # The app does it itself, for TRUSTED_PROXIES.
        proxy_headers=False,
        lifespan="off",
        # The sandbox installs a WebSocket library, but the app serves no WebSockets.
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    log.info("app.serving", host=listener.getsockname()[0], port=listener.getsockname()[1])
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


class _Server(uvicorn.Server):
    """Leaves signals to the command: uvicorn would raise them again before the app has closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
