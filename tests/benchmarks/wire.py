"""The other side as cheaply as Python can be: a portal and a Slack that answer constants, in one process.

    python -m tests.benchmarks.wire PORT SETTLE_SECONDS

The sandbox servers keep every rule, which costs more than what is measured. What counts here is that
both candidates talk to the same server. It counts what it is asked, and when; `GET /report` tells.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from typing import Any, cast
from urllib.parse import parse_qs

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
ACCEPTED = OK.replace(b"200 OK", b"202 Accepted")
STATE = {
    "org": {"id": "org_acme", "slug": "acme", "name": "Acme Research", "role": "OWNER"},
    "balanceUsd": "142.5",
    "cliBillingEnabled": True,
    "chargePresets": ["25", "50", "100"],
    "bounds": {"minUsd": "5", "maxUsd": "1000"},
    "card": {"brand": "visa", "last4": "4242", "resolvedVia": "subPin"},
    "portalUrl": "/billing?topup=open",
}
TOKENS = {"token_type": "Bearer", "expires_in": 100, "scope": "inference:invoke billing:manage"}
"""So short-lived that each use needs new ones: who measures use starts with others."""

AUTH = {
    "ok": True,
    "url": "https://acme.slack.com/",
    "team": "Acme",
    "user": "billing",
    "team_id": "T0ACME",
    "user_id": "U0BILLBOT",
    "bot_id": "B0BILLING",
    "is_enterprise_install": False,
}


class World:
    """What both servers know, and what they were asked."""

    def __init__(self, settle_seconds: float) -> None:
        self.settle_seconds = settle_seconds
        self.calls: Counter[str] = Counter()
        self.settles_at: dict[str, float] = {}
        self.asked_at: defaultdict[str, list[float]] = defaultdict(list)
        self.told_at: dict[str, float] = {}
        self.messages = 0

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the whole response to a request."""
        if path.startswith("/api/billing/charge"):
            return self._charge(method, path, headers.get("idempotency-key", ""))
        if path == "/api/oauth/token":
            return self._tokens(path, headers["x-nous-refresh-token"])
        if path.startswith("/slack/"):
            return self._slack(path.removeprefix("/slack/"), body)
        self.calls[path] += 1
        if path.startswith("/api/"):
            token = headers.get("authorization", "")
            return _json(_account(token) if path == "/api/oauth/account" else _state(token))
        if path == "/report":
            return _json(self.report())
        if path == "/reset":
            self.__init__(self.settle_seconds)  # type: ignore[misc]
        counts = {"/told": len(self.told_at), "/asked": len(self.asked_at)}
        return _json(counts.get(path, {}))

    def _tokens(self, path: str, same: str) -> bytes:
        self.calls[path] += 1
        return _json({**TOKENS, "access_token": same, "refresh_token": same})

    def _charge(self, method: str, path: str, key: str) -> bytes:
        """Take a charge, or say how one stands; those in the background (`bg_…`) are pending for ever."""
        now = time.time()
        if method == "POST":
            self.calls["POST charge"] += 1
            self.settles_at[key] = now + self.settle_seconds
            return _json({"chargeId": key}, ACCEPTED)
        self.calls["GET charge"] += 1
        charge = path.rpartition("/")[2]
        if charge.startswith("bg_"):
            self.asked_at[charge].append(now)
        if now < self.settles_at.get(charge, now + 1):
            return _json({"status": "pending"})
        return _json({"status": "settled", "amountUsd": "50"})

    def _slack(self, method: str, body: bytes) -> bytes:
        self.calls[method] += 1
        if method == "auth.test":
            return _json(AUTH)
        if method == "conversations.open":
            return _json({"ok": True, "channel": {"id": "D0ADA"}})
        if method == "chat.postMessage":
            self._tells(body)
            self.messages += 1
            return _json({"ok": True, "channel": "D0ADA", "ts": f"{self.messages}.000100"})
        if method == "chat.update":
            self._tells(body)
        return _json({"ok": True, "view": {"id": "V1", "hash": "h"}})

    def _tells(self, body: bytes) -> None:
        """Note when a charge's end is told: by an edit, or by a post that comes after it."""
        text = body.decode()
        fields = json.loads(text) if text.startswith("{") else {k: v[0] for k, v in parse_qs(text).items()}
        if "added" not in fields["text"]:
            return
        metadata = fields.get("metadata") or "{}"
        payload = (metadata if isinstance(metadata, dict) else json.loads(metadata)).get(
            "event_payload"
        ) or {}
        self.told_at[str(payload.get("charge"))] = time.time()

    def report(self) -> dict[str, Any]:
        """Return what was asked, and when."""
        return {
            "calls": dict(self.calls),
            "settles_at": self.settles_at,
            "asked_at": self.asked_at,
            "told_at": self.told_at,
        }


def _state(token: str) -> dict[str, Any]:
    """Return the state of the organization that a watcher's token names, `org_7`."""
    name = token.removeprefix("Bearer ")
    return STATE if not name.startswith("org_") else {**STATE, "org": {**STATE["org"], "id": name}}  # type: ignore[dict-item]


def _account(token: str) -> dict[str, Any]:
    """Return whose login this is: of the person who watches that organization."""
    name = token.removeprefix("Bearer ")
    return {
        "user": {"email": None, "privy_did": f"did:W{name.removeprefix('org_').zfill(5)}"},
        "organisation": {"id": name, "name": name},
        "paid_service_access": {"allowed": True},
    }


def _json(body: object, form: bytes = OK) -> bytes:
    content = json.dumps(body).encode()
    return form % (len(content), content)


class Connection(asyncio.Protocol):
    """One kept connection: request after request, as they come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that is there."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            lines = [line.partition(":") for line in head.split("\r\n")[1:]]
            headers = {name.lower(): value.strip() for name, _, value in lines}
            length = int(headers.get("content-length") or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            answer = self._world.answer(method, path.partition("?")[0], headers, body)
            self._transport.write(answer)


async def main(port: int, settle_seconds: float) -> None:
    """Serve until killed."""
    world = World(settle_seconds)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(world), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
