"""Signed requests, made beforehand and sent over kept connections as fast as they are answered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIGNING_SECRET = "be4c" * 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What came of it: each answer's time in milliseconds, sorted, and the whole in seconds."""

    times: Sequence[float]
    seconds: float

    def percentile(self, share: float) -> float:
        """Return the time within which that share of the answers came, in milliseconds."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))]

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds


def request(fields: dict[str, str]) -> bytes:
    """Return a whole signed request, as Slack sends forms."""
    body, stamp = urlencode(fields), str(int(time.time()))
    digest = hmac.new(SIGNING_SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return (
        "POST /slack/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"X-Slack-Request-Timestamp: {stamp}\r\nX-Slack-Signature: v0={digest}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def help_request(wire: int, number: int) -> bytes:
    """`/billing help`, typed by one of many people."""
    return request(
        {
            "command": "/billing",
            "text": "help",
            "team_id": "T0ACME",
            "channel_id": "C0GENERAL",
            "user_id": f"U{number % 500:05}",
            "trigger_id": "1.2.3",
            "response_url": f"http://127.0.0.1:{wire}/slack/response",
        }
    )


def pay_request(charge_id: str, user: str) -> bytes:
    """The confirmation of a proposed charge."""
    payload: dict[str, Any] = {
        "type": "view_submission",
        "team": {"id": "T0ACME"},
        "user": {"id": user, "team_id": "T0ACME"},
        "view": {
            "id": f"V{charge_id}",
            "type": "modal",
            "callback_id": "confirm_purchase",
            "private_metadata": charge_id,
            "state": {"values": {}},
        },
    }
    return request({"payload": json.dumps(payload)})


async def send(
    port: int, requests: Sequence[bytes], connections: int, gate: asyncio.Semaphore | None = None
) -> Load:
    """Send them all, each connection one after the other; each waits at the gate, if there is one.

    Raises:
        RuntimeError: an answer was not 200.
    """
    left = iter(requests)
    times: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_connection(port, left, times, gate) for _ in range(connections)))
    return Load(times=sorted(times), seconds=time.perf_counter() - started)


async def _connection(
    port: int, left: Iterator[bytes], times: list[float], gate: asyncio.Semaphore | None
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for each in left:
            if gate is not None:
                await gate.acquire()
            sent = time.perf_counter()
            writer.write(each)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1").splitlines()[0])
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length or 0))
            times.append((time.perf_counter() - sent) * 1000)
    finally:
        writer.close()
