"""An ASGI app on a loopback socket for as long as a block lasts.

Built on uvicorn, with three differences that a sandbox needs: it touches no signal handler, it
stops at once even while requests hang or stream, and it lets the app close the TCP connection of a
request or a WebSocket without a word.
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
_LAST_WORDS_SECONDS = 0.5
_SERVICE_RESTART = 1012


@asynccontextmanager
async def serve(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve `app` while the block runs and yield its base URL, without a slash at its end.

    The socket is bound before the block starts, so the address can be handed out at once; port 0
    takes a free one. On the way out every open connection is closed, whatever its request waits
    for, WebSockets with a close frame, and the app's lifespan is ended.

    Raises:
        OSError: The address is taken or may not be bound.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws=_Socket,
        log_config=None,
        access_log=False,
        server_header=False,
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
    """Close the client's TCP connection without a word of an answer.

    Works for apps under `serve` only, before the response has started.

    Raises:
        RuntimeError: Another server runs the app.
    """
    cut_connection(scope)
    await disconnected(receive)


def cut_connection(scope: Scope) -> None:
    """Close the client's TCP connection, of a request or a WebSocket, and do not wait for the end.

    Raises:
        RuntimeError: Another server runs the app.
    """
    cut = scope.get("extensions", {}).get(_DROP)
    if cut is None:
        raise RuntimeError("connections can be dropped under bot.sandbox.serving.serve only")
    cut()


async def disconnected(receive: Receive) -> None:
    """Return once the client has gone, or the server has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        continue


class _Connection(H11Protocol):
    """One client connection that its app may drop and that ends quietly when the server stops."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 uvicorn owns the signature
        super().__init__(*args, **kwargs)
        served = cast("ASGIApp", self.app)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await served(_droppable(scope, self.abort), receive, send)
            except asyncio.CancelledError:
                # Only _stop cancels, after the connection has gone: nobody is left to be told.
                if not self.transport.is_closing():
                    raise

        self.app = cast("Any", app)

    def abort(self) -> None:
        """Close the socket now and throw away what was not sent."""
        self.transport.abort()


class _Socket(WebSocketsSansIOProtocol):
    """One WebSocket that its app may cut and that ends in order when the server stops."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 uvicorn owns the signature
        super().__init__(*args, **kwargs)
        served = cast("ASGIApp", self.app)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await served(_droppable(scope, self.transport.abort), receive, send)

        self.app = cast("Any", app)
        self._gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the connection."""
        super().connection_lost(exc)
        self._gone.set()

    async def end(self) -> None:
        """Say that the server restarts, and give the client a moment to answer."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                if not self.close_sent:
                    await self.send({"type": "websocket.close", "code": _SERVICE_RESTART})
                await self._gone.wait()
        self.transport.abort()


def _droppable(scope: Scope, drop: Callable[[], None]) -> Scope:
    scope["extensions"] = {**scope.get("extensions", {}), _DROP: drop}
    return scope


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is spelled out; with it on,
    # every answer after the first on a connection comes 40 ms late.
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
    """Close the listeners, then the connections, then what still runs, then the app itself."""
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
    # Most handlers notice the disconnect by themselves and may still have something to put away.
    _, stubborn = await asyncio.wait(tasks, timeout=_LAST_WORDS_SECONDS)
    for task in stubborn:
        task.cancel()
    if stubborn:
        await asyncio.wait(stubborn)
