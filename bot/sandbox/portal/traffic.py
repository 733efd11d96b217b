"""What arrived: every request as it came in and how it was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """One request; `at` in Unix seconds.

    Attributes:
        status: The status code of the answer; None as long as there is none, and for a
            connection that was dropped.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    status: int | None = None


class TrafficLog:
    """ASGI middleware that writes every request into a list before the app sees it."""

    def __init__(self, app: ASGIApp, seen: list[SeenRequest], now: Callable[[], float]) -> None:
        self._app = app
        self._seen = seen
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record, pass on, and note the status."""
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
    """Hand the body out once more, then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
