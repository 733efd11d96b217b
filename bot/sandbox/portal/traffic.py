"""The record of every received request and the status of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """One request. `at` is in Unix seconds.

    Attributes:
        status: The status code of the answer. None before the answer and for a dropped connection.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    status: int | None = None


class TrafficLog:
    """ASGI middleware that adds every request to a list before the app receives it."""

    def __init__(self, app: ASGIApp, seen: list[SeenRequest], now: Callable[[], float]) -> None:
        self._app = app
        self._seen = seen
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request, call the app and record the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        seen = SeenRequest(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=dict(Headers(scope=scope).items()),
            body=body,
            at=self._now(),
        )
        self._seen.append(seen)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        await self._app(scope, _replay(body, receive), noting)


async def _body(receive: Receive) -> bytes:
    whole = bytearray()
    while True:
        message = await receive()
        whole += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(whole)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that replays the body and then returns the following messages."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
