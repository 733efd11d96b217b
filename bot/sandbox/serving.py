"""A uvicorn server that runs an ASGI app on a loopback socket during a `with` block.

It differs from uvicorn in three ways. It changes no signal handlers. It stops at once, even while
requests hang or stream. It lets the app close the TCP connection of a request or a WebSocket without
a response.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

_DROP = "bot.sandbox.drop_connection"
_KEEP_ALIVE_SECONDS = 75
_CLOSE_SECONDS = 0.5
_SERVICE_RESTART = 1012


@asynccontextmanager
async def serve(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve `app` during the block and yield its base URL, without a trailing slash.

    The socket is bound before the block starts. Port 0 selects a free port. At the end of the block
    every open connection is closed, WebSockets with a close frame, and the app's lifespan ends.

    Raises:
        OSError: The address is in use or cannot be bound.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws=_Socket,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    try:
        await server.startup(sockets=[listener])
        yield _address(listener)
    finally:
        await _stop(server)
        listener.close()


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Close the client's TCP connection without an answer.

    This works only for apps under `serve`, before the response has started.

    Raises:
        RuntimeError: Another server runs the app.
    """
    cut_connection(scope)
    await disconnected(receive)


def cut_connection(scope: Scope) -> None:
    """Close the TCP connection of a request or a WebSocket without waiting for its end.

    Raises:
        RuntimeError: Another server runs the app.
    """
    cut = scope.get("extensions", {}).get(_DROP)
    if cut is None:
        raise RuntimeError("connections can be dropped under bot.sandbox.serving.serve only")
    cut()


async def disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected or the server has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


class _Connection(H11Protocol):
    """A client connection that the app may drop and that ends without an error at the server's stop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 uvicorn owns the signature
        super().__init__(*args, **kwargs)
        served = cast("ASGIApp", self.app)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await served(_droppable(scope, self.abort), receive, send)
            except asyncio.CancelledError:
                # Only _stop cancels, after it has closed the connection.
                if not self.transport.is_closing():
                    raise

        self.app = cast("Any", app)

    def abort(self) -> None:
        """Close the socket at once and discard unsent data."""
        self.transport.abort()


class _Socket(WebSocketsSansIOProtocol):
    """A WebSocket that the app may drop and that ends with a close frame at the server's stop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 uvicorn owns the signature
        super().__init__(*args, **kwargs)
        served = cast("ASGIApp", self.app)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await served(_droppable(scope, self.transport.abort), receive, send)

        self.app = cast("Any", app)
        self._gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record the end of the connection."""
        super().connection_lost(exc)
        self._gone.set()

    async def end(self) -> None:
        """Send a close frame with the code for a restart, and wait briefly for the client's answer."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if not self.close_sent:
                    await self.send({"type": "websocket.close", "code": _SERVICE_RESTART})
                await self._gone.wait()
        self.transport.abort()


def _droppable(scope: Scope, drop: Callable[[], None]) -> Scope:
    scope["extensions"] = {**scope.get("extensions", {}), _DROP: drop}
    return scope


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only on a socket with an explicit protocol. With the
    # algorithm, every answer after the first on a connection comes 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _stop(server: uvicorn.Server) -> None:
    """Close the listeners, then the connections, then the running tasks, then the app's lifespan."""
    for listener in getattr(server, "servers", ()):
        listener.close()
    connections = list(server.server_state.connections)
    for connection in connections:
        if not isinstance(connection, _Socket):
            connection.transport.abort()
    await asyncio.gather(*(one.end() for one in connections if isinstance(one, _Socket)))
    await _end(set(server.server_state.tasks))
    await server.lifespan.shutdown()


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    if not tasks:
        return
    # Most handlers notice the disconnect and end by themselves after their cleanup.
    _, unfinished = await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
    for task in unfinished:
        task.cancel()
    if unfinished:
        await asyncio.wait(unfinished)
