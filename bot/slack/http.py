"""Slack's requests over HTTP. A request is parsed only after its signature was verified."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

import structlog
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.timing import READ_BODY_SECONDS

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.signature import SignatureVerifier
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.metrics import Metrics

MAX_BODY_BYTES = 1_000_000
MAX_TIMESTAMP_DIGITS = 12
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

log = structlog.get_logger(__name__)


def events_route(bolt: AsyncApp, verifier: SignatureVerifier, metrics: Metrics) -> Route:
    """Return the route for Slack's requests. A request is parsed only after its signature was verified."""

    async def slack_events(request: Request) -> Response:
        started = time.perf_counter()
        response = await answer(request)
        meter = metrics.ack_seconds.labels(str(response.status_code))
        meter.observe(time.perf_counter() - started)
        return response

    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(READ_BODY_SECONDS):
                body = await _bounded_body(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("too slow", 408)
        if body is None:
            return PlainTextResponse("too large", 413)
        problem = _unusable(request, body)
        if problem is not None:
            return PlainTextResponse(problem, 400)
        if not _is_signed(request, body, verifier):
            log.info("http.bad_signature")
            return PlainTextResponse("not signed by Slack, or not just now", 401)
        try:
            return to_starlette_response(await bolt.async_dispatch(to_async_bolt_request(request, body)))
        except Exception as error:  # noqa: BLE001 - Bolt assumes that every signed body is valid
            incident = secrets.token_hex(4)
            log.warning("http.unreadable", incident=incident, problem=type(error).__name__)
            return PlainTextResponse(f"cannot be read ({incident})", 400)

    return Route("/slack/events", slack_events, methods=["POST"])


async def _bounded_body(request: Request) -> bytes | None:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            return None
    return bytes(chunks)


def _unusable(request: Request, body: bytes) -> str | None:
    """Name a fault that slack-sdk and Bolt would answer with a 500; None if there is none."""
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= MAX_TIMESTAMP_DIGITS):
        return "bad timestamp"
    if not request.headers.get("x-slack-signature", "").isascii():
        return "bad signature"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return None


def _is_signed(request: Request, body: bytes, verifier: SignatureVerifier) -> bool:
    return verifier.is_valid(
        body,
        request.headers.get("x-slack-request-timestamp"),
        request.headers.get("x-slack-signature"),
    )


class SecurityHeaders:
    """Adds security headers to every answer: no caching, no framing, no content sniffing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] += [header for header in _HEADERS if header[0] not in there]
            await send(message)

        await self._app(scope, receive, send_with_headers)
