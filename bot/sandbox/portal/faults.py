"""Ways in which an answer goes wrong: late, torn off, refused, or not JSON at all."""

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
    """One thing that goes wrong with a request.

    Attributes:
        after_work: The request is carried out first and only its answer suffers. Otherwise
            nothing is carried out, unless the fault is nothing but a wait.
        seconds: Wait so long, in real time, before anything else.
        hangs: Wait `PortalSandbox.hang_seconds` instead.
        drop: Close the TCP connection without an answer.
        status: Answer this; None leaves the answer alone.
        body: The answer's text.
        retry_after: The `Retry-After` header as it stands, good or bad.
        headers: More headers of the answer.
        first_try_only: Later tries with the same idempotency key are spared.
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
        """Whether the client gets something else than the true answer."""
        return self.drop or self.status is not None

    def answer(self) -> Response:
        """What the client gets in place of the true answer."""
        if self.drop:
            return DroppedConnection()
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = self.retry_after
        return Response(self.body, self.status or 500, headers=headers, media_type=self.content_type)


_CHALLENGE_PAGE = "<!doctype html><title>Vercel Security Checkpoint</title><p>We're verifying your browser."
FIREWALL = Fault(
    status=429,
    body=_CHALLENGE_PAGE,
    content_type="text/html",
    headers={"x-vercel-mitigated": "challenge"},
)
"""The firewall before the portal answers a poll with a challenge: back off, it is no answer."""

FIREWALL_DENIES = Fault(
    status=403,
    body="<!doctype html><title>403: Forbidden</title><p>Forbidden",
    content_type="text/html",
    headers={"x-vercel-mitigated": "deny"},
    retry_after="7",
)
"""The firewall before the portal turns a request away: an outage, not the portal's refusal."""


def refusing(
    status: int,
    error: str,
    message: str,
    retry_after: str | None = None,
    portal_url: str | None = "/billing",
) -> Fault:
    """A fault that answers with the contract's error body."""
    link = {} if portal_url is None else {"portalUrl": portal_url}
    body = dump_json({"error": error, "message": message, **link})
    return Fault(status=status, body=body, retry_after=retry_after)


class DroppedConnection(Response):
    """Not an answer: the connection ends without one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Close the connection."""
        await drop_connection(scope, receive)


class LateResponse(Response):
    """Another response, sent only after a wait, and not at all when the client has left."""

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__()
        self.response = response
        self.seconds = seconds
        self.status_code = response.status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send."""
        if await still_there_after(self.seconds, receive):
            await self.response(scope, receive, send)


async def still_there_after(seconds: float, receive: Receive) -> bool:
    """Wait in real time; False as soon as the client goes or the server stops."""
    with suppress(TimeoutError):
        await asyncio.wait_for(disconnected(receive), seconds)
        return False
    return True
