"""Signed requests to the app, each with a deadline for its acknowledgement."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.sandbox.slack.settings import Settings

Json = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
HTTP, SOCKET = "http", "socket"
TIMEOUT = "operation_timeout"
FAILED = "dispatch_failed"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One request to the app and its result.

    Attributes:
        kind: `command`, `block_actions`, `view_submission`, `view_closed`, `event` or `raw`.
        name: The command, the action_id, the callback_id or the event type.
        user: The person who acted, if any.
        status: The HTTP status. None when no answer came or nothing was sent.
        ack_ms: The duration of the acknowledgement in milliseconds.
        body: The payload: the form fields of a command, the JSON object of another request.
        raw_body: The request body as sent.
        response: The answer, parsed when it is JSON.
        error: The error that the person sees, or None.
        errors: The errors in the modal, by block_id.
        failure: `operation_timeout`, `dispatch_failed`, or None.
        via: `http` or `socket`. None when nothing was sent.
    """

    kind: str
    name: str
    user: str | None = None
    status: int | None = None
    ack_ms: float = 0.0
    body: Json = field(default_factory=dict)
    raw_body: str = ""
    response: Json | str = ""
    error: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    via: str | None = None


@dataclass(frozen=True, kw_only=True)
class AppRequest:
    """A request for the app: the payload and its encoding. `retry` is 0 for the first attempt."""

    kind: str
    name: str
    user: str | None
    body: Json
    raw: str
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    retry: int = 0


@dataclass(frozen=True, kw_only=True)
class Ack:
    """The app's answer, or the reason why there is none."""

    status: int | None
    text: str
    ms: float
    failure: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    via: str = HTTP

    @property
    def parsed(self) -> Json | str:
        """Return the body, parsed when it is a JSON object."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return self.text
        return value if isinstance(value, dict) else self.text


def command_request(fields: dict[str, str]) -> AppRequest:
    """Return the request of a slash command."""
    return AppRequest(
        kind="command",
        name=fields["command"],
        user=fields["user_id"],
        body=dict(fields),
        raw=urlencode(fields),
        content_type=FORM,
    )


def interaction_request(payload: Json, name: str) -> AppRequest:
    """Return the request of a click, a submission or a closed view."""
    return AppRequest(
        kind=payload["type"],
        name=name,
        user=payload["user"]["id"],
        body=payload,
        raw=urlencode({"payload": json.dumps(payload)}),
        content_type=FORM,
    )


def event_request(envelope: Json, retry: int = 0, reason: str = "") -> AppRequest:
    """Return the request of an event. `retry` is 0 for the first attempt."""
    event = envelope["event"]
    again = {"x-slack-retry-num": str(retry), "x-slack-retry-reason": reason} if retry else {}
    return AppRequest(
        kind="event",
        name=event["type"],
        user=event["user"] if isinstance(event.get("user"), str) else None,
        body=envelope,
        raw=json.dumps(envelope),
        content_type="application/json",
        headers=again,
        retry=retry,
    )


class Sender:
    """Send signed requests to the app over one HTTP session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    def sign(self, body: str, timestamp: str | int) -> str:
        """Return the `X-Slack-Signature` of a body and a timestamp."""
        base = f"v0:{timestamp}:{body}".encode()
        digest = hmac.new(self._settings.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return f"v0={digest}"

    async def send(self, request: AppRequest) -> Ack:
        """Send a request and wait for the acknowledgement until the deadline."""
        # The app compares the timestamp with its own clock, which a test cannot move.
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": request.content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": self.sign(request.raw, timestamp),
            **request.headers,
        }
        return await self.post(request.raw.encode(), headers)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Ack:
        """Post bytes unchanged. `failure` of the result is the reason of a failure."""
        started = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=self._settings.ack_deadline)
        try:
            async with self._opened().post(
                self._settings.app_url,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                text = await response.text(errors="replace")
        except TimeoutError:
            return Ack(status=None, text="", ms=_since(started), failure=TIMEOUT)
        except aiohttp.ClientError as error:
            return Ack(status=None, text=str(error), ms=_since(started), failure=FAILED)
        return Ack(
            status=response.status,
            text=text,
            ms=_since(started),
            failure=None if response.ok else FAILED,
            headers=dict(response.headers),
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # A connection from before a restart of the app would fail the next request.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    async def close(self) -> None:
        """Close the session. A later request opens a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The transports close one turn of the loop after their session.
            await asyncio.sleep(0)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
