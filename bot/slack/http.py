"""Slack's requests over HTTP. A request is parsed only after its signature was verified."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.domain.audit import SignedRequest, signed_request
from bot.elapsed import elapsed
from bot.slack.reply import acknowledgement_sent
from bot.timing import NOTICE_END_SECONDS, READ_BODY_SECONDS, SLACK_WAITS_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.signature import SignatureVerifier
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.metrics import Metrics

MAX_BODY_BYTES = 1_000_000
MAX_HELD_BYTES = 16_000_000
MAX_TIMESTAMP_DIGITS = 12
FRESH_SECONDS = 300
"""How old a request may be; Slack's own advice, and slack-sdk's limit."""
_CLOSE = {"Connection": "close"}
"""For an answer that is sent before the body was read: the rest of the body is no new request."""
_TIMESTAMP, _SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"
_SIGNED = re.compile(r"v0=[0-9a-f]{64}")
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
        waited_for = Acknowledgement()
        acknowledgement_sent.set(waited_for.sent)
        response = await answer(request, waited_for)
        response.background = BackgroundTask(waited_for.was_sent)
        meter = metrics.ack_seconds.labels(str(response.status_code))
        meter.observe(elapsed() - waited_for.began)
        return response

    bodies = Bodies()

    async def answer(request: Request, waited_for: Acknowledgement) -> Response:
        headers = dict(request.headers.items())
        body = _refused_by_headers(headers) or await bodies.read(request)
        if isinstance(body, Response):
            return body
        if not verifier.is_valid(body, headers[_TIMESTAMP], headers[_SIGNATURE]):
            log.info("http.bad_signature")
            return PlainTextResponse("not signed by Slack, or not just now", 401)
        signed = SignedRequest(headers[_SIGNATURE])
        signed_request.set(signed)
        try:
            parsed = to_async_bolt_request(request, body)
            if parsed.body.get("type") == "view_submission":
                signed.is_given_up = waited_for.is_given_up
                if await _came_too_late(request):
                    log.warning("http.given_up")
                    return PlainTextResponse("Slack has stopped waiting", 408)
            return to_starlette_response(await bolt.async_dispatch(parsed))
        except Exception as error:  # noqa: BLE001 - Bolt assumes that every signed body is valid
            incident = secrets.token_hex(4)
            log.warning("http.unreadable", incident=incident, problem=type(error).__name__)
            return PlainTextResponse(f"cannot be read ({incident})", 400)

    return Route("/slack/events", slack_events, methods=["POST"])


class Acknowledgement:
    """The answer that Slack waits for. A process that is paused meanwhile sends it too late."""

    def __init__(self) -> None:
        """It is waited for from now on."""
        self.began = elapsed()
        self.sent = asyncio.Event()
        self._is_late = False

    async def was_sent(self) -> None:
        """It has left this process."""
        self._is_late = self._is_overdue()
        self.sent.set()

    def is_given_up(self) -> bool:
        """Tell whether Slack has stopped waiting for it."""
        return self._is_late if self.sent.is_set() else self._is_overdue()

    def _is_overdue(self) -> bool:
        return elapsed() - self.began > SLACK_WAITS_SECONDS


class Bodies:
    """The bodies that are being read, MAX_HELD_BYTES together at most: the oldest unfinished gives way.

    So forged bodies that never end cannot shut out Slack's, which are small and come at once.
    """

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self._most = most
        self._held: dict[asyncio.Timeout, int] = {}

    async def read(self, request: Request) -> bytes | Response:
        """Return the body, or the answer to one that is too large, too slow, not text, or gave way."""
        try:
            body = await self._read(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("too slow", 408, _CLOSE)
        if body is None:
            return PlainTextResponse("too large", 413, _CLOSE)
        return body if _is_text(body) else PlainTextResponse("not UTF-8", 400)

    async def _read(self, request: Request) -> bytes | None:
        chunks = bytearray()
        limit = asyncio.timeout(READ_BODY_SECONDS)
        async with limit:
            self._held[limit] = 0
            try:
                async for chunk in request.stream():
                    chunks += chunk
                    if len(chunks) > MAX_BODY_BYTES:
                        return None
                    self._held[limit] = len(chunks)
                    self._make_room()
            finally:
                self._held.pop(limit, None)
        return bytes(chunks)

    def _make_room(self) -> None:
        held = sum(self._held.values())
        while held > self._most and self._held:
            oldest = next(iter(self._held))
            held -= self._held.pop(oldest)
            with suppress(RuntimeError):  # it has run out by itself just now
                oldest.reschedule(asyncio.get_running_loop().time())


def _refused_by_headers(headers: Mapping[str, str]) -> Response | None:
    """Refuse, before the body is read, what no body could make good; None if the body decides."""
    timestamp = headers.get(_TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= MAX_TIMESTAMP_DIGITS):
        return PlainTextResponse("bad timestamp", 400)
    signature = headers.get(_SIGNATURE, "")
    if not signature.isascii():
        return PlainTextResponse("bad signature", 400)
    is_fresh = abs(time.time() - int(timestamp)) <= FRESH_SECONDS
    if not is_fresh or not _SIGNED.fullmatch(signature):
        return PlainTextResponse("not signed by Slack, or not just now", 401)
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        return PlainTextResponse("too large", 413, _CLOSE)
    return None


async def _came_too_late(request: Request) -> bool:
    """Tell whether Slack had stopped waiting before a request was read, as by a process that was paused.

    Slack has then told the person that their submission failed, and they may have done it again by another
    form. Its clock alone does not tell: this machine's may differ. So the connection must be gone too.
    """
    if time.time() - int(request.headers[_TIMESTAMP]) < SLACK_WAITS_SECONDS:
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(NOTICE_END_SECONDS):
            return bool((await request.receive())["type"] == "http.disconnect")
    return False


def _is_text(body: bytes) -> bool:
    """Tell whether the body is UTF-8; slack-sdk and Bolt would answer any other with a 500."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


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
