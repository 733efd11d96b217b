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

from bot.sandbox.slack.wiring import Wiring

Json = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
HTTP, SOCKET = "http", "socket"
TIMEOUT = "operation_timeout"
FAILED = "dispatch_failed"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One request to the app and what became of it.

    Attributes:
        kind: `command`, `block_actions`, `view_submission`, `view_closed`, `event` or `raw`.
        name: What was done: the command, the action_id, the callback_id, the event type.
        user: The person behind it, if any.
        status: The HTTP status, or None when no answer came (or nothing was sent).
        ack_ms: How long the acknowledgement took.
        body: The payload: form fields of a command, the JSON of everything else.
        raw_body: The request body as sent.
        response: The answer, parsed when it is JSON.
        error: What the person is told went wrong, or None.
        errors: Complaints in the modal, by block_id.
        failure: `operation_timeout`, `dispatch_failed`, or None.
        via: `http` or `socket`; None when nothing was sent.
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
class Parcel:
    """What is to be sent: the payload and its encoding on the wire; `retry` counts from 1."""

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
    """The app's answer, or why there was none."""

    status: int | None
    text: str
    ms: float
    failure: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    via: str = HTTP

    @property
    def parsed(self) -> Json | str:
        """The body, as an object when it is one."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return self.text
        return value if isinstance(value, dict) else self.text


def command_parcel(fields: dict[str, str]) -> Parcel:
    """A slash command for the wire."""
    return Parcel(
        kind="command",
        name=fields["command"],
        user=fields["user_id"],
        body=dict(fields),
        raw=urlencode(fields),
        content_type=FORM,
    )


def interaction_parcel(payload: Json, name: str) -> Parcel:
    """A click, submission or closing for the wire."""
    return Parcel(
        kind=payload["type"],
        name=name,
        user=payload["user"]["id"],
        body=payload,
        raw=urlencode({"payload": json.dumps(payload)}),
        content_type=FORM,
    )


def event_parcel(envelope: Json, retry: int = 0, reason: str = "") -> Parcel:
    """An event for the wire; `retry` counts from 1."""
    event = envelope["event"]
    again = {"x-slack-retry-num": str(retry), "x-slack-retry-reason": reason} if retry else {}
    return Parcel(
        kind="event",
        name=event["type"],
        user=event["user"] if isinstance(event.get("user"), str) else None,
        body=envelope,
        raw=json.dumps(envelope),
        content_type="application/json",
        headers=again,
        retry=retry,
    )


class Courier:
    """Carries parcels to the app over one HTTP session."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._session: aiohttp.ClientSession | None = None

    def sign(self, body: str, timestamp: str | int) -> str:
        """The value of `X-Slack-Signature` for a body sent at a time."""
        base = f"v0:{timestamp}:{body}".encode()
        digest = hmac.new(self._wiring.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return f"v0={digest}"

    async def send(self, parcel: Parcel) -> Ack:
        """Sends a parcel and waits for the acknowledgement, at most until the deadline."""
        # The app checks the age of a signature by its own clock, however far a test moved ours.
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": parcel.content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": self.sign(parcel.raw, timestamp),
            **parcel.headers,
        }
        return await self.post(parcel.raw.encode(), headers)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Ack:
        """Posts bytes as they are; `failure` tells why an answer is missing or not accepted."""
        started = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=self._wiring.ack_deadline)
        try:
            async with self._opened().post(
                self._wiring.app_url,
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
            # A connection kept from before a restart of the app would fail the next request.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session

    async def close(self) -> None:
        """Closes the session; a later request opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The transports close one turn of the loop after their session.
            await asyncio.sleep(0)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
