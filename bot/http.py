"""The HTTP edge: Slack's requests, health, readiness. Guards what the Bolt adapter lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_bolt.app.async_app import AsyncApp
    from starlette.types import Message

    # What is wrong, one short word each; nothing when ready.
    Readiness = Callable[[], Awaitable[list[str]]]

MAX_BODY_BYTES = 1_000_000


def make_asgi(bolt: AsyncApp, readiness: Readiness) -> Starlette:
    """Return the ASGI app around a Bolt app."""
    handler = AsyncSlackRequestHandler(bolt)

    async def slack_events(request: Request) -> Response:
        body = await _bounded_body(request)
        problem = _unusable(request, body)
        if body is None or problem is not None:
            return PlainTextResponse(problem or "too large", status_code=413 if body is None else 400)
        return await handler.handle(_replay(request, body))

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        problems = await readiness()
        return JSONResponse({"ready": not problems, "problems": problems}, 503 if problems else 200)

    return Starlette(
        routes=[
            Route("/slack/events", slack_events, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ]
    )


async def _bounded_body(request: Request) -> bytes | None:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            return None
    return bytes(chunks)


def _unusable(request: Request, body: bytes | None) -> str | None:
    """Say what Bolt would answer with a 500: it decodes before it verifies, and trusts the timestamp."""
    if not request.headers.get("x-slack-request-timestamp", "").isdecimal():
        return "bad timestamp"
    try:
        (body or b"").decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return None


def _replay(request: Request, body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
