"""Faults of an answer: delays, dropped connections, error statuses, answers that are not JSON."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import Response

from bot.sandbox.portal.wire import dump_json
from bot.sandbox.serving import disconnected, drop_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a request.

    Attributes:
        after_work: Perform the request first and change only its answer. Otherwise the request is
            not performed, unless the fault is only a delay.
        seconds: The delay, in real seconds.
        hangs: Delay for `PortalSandbox.hang_seconds` instead.
        drop: Close the TCP connection without an answer.
        status: The status of the answer. None keeps the true answer.
        body: The text of the answer.
        retry_after: The value of the `Retry-After` header, valid or not.
        headers: Additional headers of the answer.
        first_try_only: Whether only the first attempt with an idempotency key has the fault.
    """

    after_work: bool = False
    seconds: float = 0
    hangs: bool = False
    drop: bool = False
    status: int | None = None
    body: str = ""
    content_type: str = "application/json"
    retry_after: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    first_try_only: bool = False

    @property
    def replaces_answer(self) -> bool:
        """Return whether the fault replaces the true answer."""
        return self.drop or self.status is not None

    def answer(self) -> Response:
        """Return the answer that replaces the true answer."""
        if self.drop:
            return DroppedConnection()
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = self.retry_after
        return Response(self.body, self.status or 500, headers=headers, media_type=self.content_type)


MAINTENANCE_PAGE = "<!doctype html><title>Nous Portal</title><p>We'll be right back."
_CHALLENGE_PAGE = "<!doctype html><title>Vercel Security Checkpoint</title><p>We're verifying your browser."
FIREWALL = Fault(
    status=429,
    body=_CHALLENGE_PAGE,
    content_type="text/html",
    headers={"x-vercel-mitigated": "challenge"},
)
"""The firewall in front of the portal answers a poll with a challenge."""

FIREWALL_DENIES = Fault(
    status=403,
    body="<!doctype html><title>403: Forbidden</title><p>Forbidden",
    content_type="text/html",
    headers={"x-vercel-mitigated": "deny"},
    retry_after="7",
)
"""The firewall in front of the portal denies a request. This is an outage, not a refusal."""


def refusal_fault(
    status: int,
    error: str,
    message: str,
    retry_after: str | None = None,
    portal_url: str | None = "/billing",
) -> Fault:
    """Return a fault that answers with the body of a refusal (docs/portal.md, section 9.1)."""
    link = {} if portal_url is None else {"portalUrl": portal_url}
    body = dump_json({"error": error, "message": message, **link})
    return Fault(status=status, body=body, retry_after=retry_after)


class DroppedConnection(Response):
    """A response that closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Close the connection."""
        await drop_connection(scope, receive)


class LateResponse(Response):
    """A response that is sent after a delay, unless the client has disconnected."""

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__()
        self.response = response
        self.seconds = seconds
        self.status_code = response.status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send the response."""
        if await wait_while_connected(self.seconds, receive):
            await self.response(scope, receive, send)


async def wait_while_connected(seconds: float, receive: Receive) -> bool:
    """Wait in real time. Return False as soon as the client disconnects or the server stops."""
    with suppress(TimeoutError):
        await asyncio.wait_for(disconnected(receive), seconds)
        return False
    return True
