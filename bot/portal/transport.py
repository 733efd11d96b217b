"""One HTTP exchange with the portal: limited time and size, no redirects, JSON answers."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
import httpx
import simplejson
from httpx_aiohttp import AiohttpTransport

from bot.domain.errors import PortalUnavailableError
from bot.domain.text import SENTENCE, WORD, clean
from bot.timing import PORTAL_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bot.availability import Availability
    from bot.domain.clock import Clock
    from bot.metrics import Metrics

MAX_BODY_BYTES = 1_000_000
MAX_RETRY_AFTER_SECONDS = 86_400
CONCURRENT_REQUESTS = 256
"""The limit for each of two groups, so that requests of people do not wait behind background polling."""
SERVER_FAULT = 500

Gate: TypeAlias = Callable[[], Awaitable[None]]
"""The last check before a request that spends is sent. It raises to keep the request from being sent."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "billing-bot"}
_FIREWALL = frozenset({"deny", "challenge"})
_LONGEST_INTEGER = 1000
_CHARGE_ID = re.compile(r"/charge/[^/]+$")


def parse_retry_after(value: str | None, now: datetime) -> int | None:
    """Read `Retry-After` (RFC 9110, 10.2.3) as whole seconds from `now`.

    Negative, unreadable, and absurd values (above a day) count as absent.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text[:12])
    else:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                return None
            seconds = round((moment - now).total_seconds())
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds <= MAX_RETRY_AFTER_SECONDS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A response. `body` is the JSON object, empty for an empty body, None if it is not one.

    `mitigated`: the firewall answered, not the portal (`x-vercel-mitigated: deny` or `challenge`).
    """

    status: int
    body: Mapping[str, Any] | None
    retry_after: int | None = None
    mitigated: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110's 2xx

    @property
    def error(self) -> str | None:
        """Its `error`; None if there is none, or it is no text (RFC 6749, 5.2: a single code)."""
        return self.text("error", WORD)

    def text(self, name: str, most: int = SENTENCE) -> str | None:
        """A member's text, clean and at most so long; None if it is absent or no text."""
        value = (self.body or {}).get(name)
        return clean(value, most) if isinstance(value, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A request. It has either `json` (Decimals become exact JSON numbers) or `form`.

    `gate` is called once there is a free slot, just before the request is sent; if it raises, nothing is
    sent. `in_background`: no person is waiting for it.
    """

    method: str
    url: str
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    gate: Gate | None = None
    in_background: bool = False

    @property
    def route(self) -> str:
        """The method and the path without ids, for the metrics."""
        path = urlsplit(self.url).path
        return f"{self.method} {_CHARGE_ID.sub('/charge/{id}', path)}"

    def authorized(self, token: str) -> Exchange:
        """Return the same request with a bearer token (RFC 6750, 2.1)."""
        return replace(self, headers={**self.headers, "Authorization": f"Bearer {token}"})

    def request(self) -> httpx.Request:
        """Build the httpx request."""
        headers = {**_HEADERS, **self.headers}
        if self.json is None:
            return httpx.Request(self.method, self.url, data=self.form, headers=headers)
        content = simplejson.dumps(self.json, use_decimal=True).encode()
        headers["Content-Type"] = "application/json"
        return httpx.Request(self.method, self.url, content=content, headers=headers)


class Transport:
    """The shared connections to the portal. Close it once, after everything else that uses it."""

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        availability: Availability,
        *,
        timeout_seconds: float = PORTAL_TIMEOUT_SECONDS,
    ) -> None:
        # No httpx client, so that nothing follows redirects, keeps cookies or adds credentials.
        self._http: httpx.AsyncBaseTransport = AiohttpTransport(
            # Not used: the session's connector verifies with aiohttp's own. To make httpx's takes 20 ms.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            client=lambda: aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Honor HTTPS_PROXY and NO_PROXY, but only if set: aiohttp's look-up per request is slow.
                trust_env=bool(getproxies()),
            ),
        )
        self._places = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._background = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._clock = clock
        self._metrics = metrics
        self._availability = availability
        self._timeout_seconds = timeout_seconds

    async def send(self, exchange: Exchange) -> Answer:
        """Send a request and read the answer. The timeout includes the wait for a free slot.

        Raises:
            PortalUnavailableError: no complete answer came (connection, timeout, size); the portal may
                or may not have received the request.
        """
        started = time.perf_counter()
        try:
            response, content = await self._exchange(exchange)
        except PortalUnavailableError:
            self._observe(exchange, started, None)
            raise
        self._observe(exchange, started, response.status_code)
        return Answer(
            status=response.status_code,
            body=json_object(content),
            retry_after=parse_retry_after(response.headers.get("Retry-After"), self._clock.wall()),
            mitigated=response.headers.get("x-vercel-mitigated", "").strip().lower() in _FIREWALL,
        )

    def _observe(self, exchange: Exchange, started: float, status: int | None) -> None:
        self._availability.observe(answered=status is not None and status < SERVER_FAULT)
        meter = self._metrics.portal_seconds.labels(
            exchange.route, "none" if status is None else str(status)
        )
        meter.observe(time.perf_counter() - started)

    async def _exchange(self, exchange: Exchange) -> tuple[httpx.Response, bytes]:
        sent = False
        try:
            places = self._background if exchange.in_background else self._places
            async with asyncio.timeout(self._timeout_seconds), places:
                if exchange.gate is not None:
                    await exchange.gate()
                sent = True
                response = await self._http.handle_async_request(exchange.request())
                try:
                    return response, await _read(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            # The transport's own names are misleading: it calls a lost connection a "ConnectTimeout".
            raise PortalUnavailableError(type(error.__cause__ or error).__name__, sent=sent) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


async def _read(response: httpx.Response) -> bytes:
    chunks = bytearray()
    async for chunk in response.aiter_bytes():
        chunks += chunk
        if len(chunks) > MAX_BODY_BYTES:
            raise PortalUnavailableError("the answer is too large")
    return bytes(chunks)


def json_object(content: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object with exact numbers; empty if there is no content, None if it is not one."""
    if not content.strip():
        return {}
    try:
        body = simplejson.loads(
            content, parse_float=_number, parse_int=_integer, parse_constant=lambda _: None
        )
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _number(text: str) -> Decimal | str:
    """Read a JSON number exactly; one whose exponent is too large for Decimal stays text."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _integer(text: str) -> int | Decimal:
    """Read a JSON integer; Python's int() refuses one with thousands of digits."""
    return int(text) if len(text) <= _LONGEST_INTEGER else Decimal(text)
