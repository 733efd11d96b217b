"""Helpers for tests of the sandbox portal: a clock and a signed-in client."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import simplejson

if TYPE_CHECKING:
    import httpx

    from bot.sandbox.portal import PortalSandbox

BALANCE = "142.500213968254"
"""Acme's balance at the start."""

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EVERYTHING = "inference:invoke tool:invoke billing:manage"


@dataclass
class Clock:
    """A clock that moves only when a test moves it. It starts on Thursday, 17 September 2026."""

    moment: float = 1_789_646_400.0

    def __call__(self) -> float:
        return self.moment

    def tick(self, seconds: float) -> None:
        self.moment += seconds


@dataclass
class PortalClient:
    """A client of the portal. It is signed in as Ada by default."""

    portal: PortalSandbox
    clock: Clock
    http: httpx.AsyncClient
    access: str = ""
    refresh: str = ""
    _keys: count[int] = field(default_factory=count)

    def sign_in(self, person: str = "ada", scope: str = EVERYTHING) -> None:
        self.access, self.refresh = self.portal.issue_tokens(person, scope)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path, headers=self._headers())

    async def send(
        self, method: str, path: str, body: object = None, key: str | None = None
    ) -> httpx.Response:
        content = None if body is None else simplejson.dumps(body, use_decimal=True)
        return await self.http.request(method, path, content=content, headers=self._headers(key))

    async def charge(self, amount: str | int = 50, key: str | None = None) -> httpx.Response:
        key = key or f"key-{next(self._keys)}"
        body = {"amountUsd": Decimal(amount)}
        return await self.send("POST", "/api/billing/charge", body, key)

    async def poll(self, charged: httpx.Response) -> dict[str, Any]:
        answer = await self.get(f"/api/billing/charge/{exact(charged)['chargeId']}")
        return exact(answer)

    async def state(self) -> dict[str, Any]:
        return exact(await self.get("/api/billing/state"))

    async def ask_for_code(self, scope: str = EVERYTHING) -> dict[str, Any]:
        form = {"client_id": "hermes-cli", "scope": scope}
        return exact(await self.http.post("/api/oauth/device/code", data=form))

    async def redeem(self, device_code: str, client_id: str = "hermes-cli") -> httpx.Response:
        form = {"grant_type": DEVICE_GRANT, "client_id": client_id, "device_code": device_code}
        return await self.http.post("/api/oauth/token", data=form)

    async def renew(self, token: str, client_id: str = "hermes-cli") -> httpx.Response:
        form = {"grant_type": "refresh_token", "client_id": client_id}
        headers = {"x-nous-refresh-token": token}
        return await self.http.post("/api/oauth/token", data=form, headers=headers)

    def _headers(self, key: str | None = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        return headers if key is None else {**headers, "Idempotency-Key": key}


def exact(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer, with numbers as Decimal."""
    loaded: dict[str, Any] = simplejson.loads(response.text, use_decimal=True)
    return loaded


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the error code of a refusal."""
    return response.status_code, str(exact(response)["error"])
