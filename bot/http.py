"""The HTTP edge: Slack's requests, health, readiness. Guards what the Bolt adapter lets through."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slack_bolt.app.async_app import AsyncApp
    from starlette.types import Message

    from bot.metrics import Metrics

MAX_BODY_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a process is: `problems` keep it from serving, `trouble` is with others; a line each."""

    problems: list[str]
    trouble: list[str]


def make_asgi(
    bolt: AsyncApp | None,
    metrics: Metrics,
    health: Callable[[], Awaitable[Health]],
    refresh_metrics: Callable[[], Awaitable[None]],
) -> Starlette:
    """Return the ASGI app: Slack's requests for `bolt`, if given, and what an operator looks at.

    `refresh_metrics` is called before each look at the meters.
    """

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_request: Request) -> Response:
        found = await health()
        ready = not found.problems
        body = {"ready": ready, "problems": found.problems, "trouble": found.trouble}
        return JSONResponse(body, 200 if ready else 503)

    async def metrics_page(_request: Request) -> Response:
        await refresh_metrics()
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics_page)]
    if bolt is not None:
        routes.append(Route("/slack/events", _slack_events(bolt, metrics), methods=["POST"]))
    return Starlette(routes=routes)


def _slack_events(bolt: AsyncApp, metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
    handler = AsyncSlackRequestHandler(bolt)

    async def slack_events(request: Request) -> Response:
        started = time.perf_counter()
        response = await answer(request)
        meter = metrics.ack_seconds.labels(str(response.status_code))
        meter.observe(time.perf_counter() - started)
        return response

    async def answer(request: Request) -> Response:
        body = await _bounded_body(request)
        problem = _unusable(request, body)
        if body is None or problem is not None:
            return PlainTextResponse(problem or "too large", status_code=413 if body is None else 400)
        return await handler.handle(_replay(request, body))

    return slack_events


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
