"""Socket Mode: while it is on, Slack sends all requests over WebSockets that the app opens."""

import asyncio
import contextlib
import itertools
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.sandbox.serving import cut_connection
from bot.sandbox.slack.delivery import FAILED, SOCKET, TIMEOUT, Ack, AppRequest
from bot.sandbox.slack.feed import Feed
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.web_api import OpenMethod

Json = dict[str, Any]

MAX_CONNECTIONS = 10
CONNECTION_SECONDS = 3600
GRACE_SECONDS = 2.0
_HOST = "applink-sandbox"
_TYPES = {"command": "slash_commands", "event": "events_api"}
_GONE = (WebSocketDisconnect, RuntimeError)


class Connection:
    """One open WebSocket of the app.

    Attributes:
        turn: The number of the envelope that it last sent.
        leaving: Whether the app was asked to replace the connection.
    """

    def __init__(self, websocket: WebSocket, turn: int) -> None:
        self._websocket = websocket
        self.turn = turn
        self.leaving = False

    async def send(self, message: Json) -> bool:
        """Send a message. Return False when the connection is closed."""
        try:
            await self._websocket.send_json(message)
        except _GONE:
            return False
        return True

    async def disconnect(self, reason: str) -> None:
        """Ask the app to open a new connection. This connection is used only when there is no other."""
        self.leaving = True
        await self.send({"type": "disconnect", "reason": reason, "debug_info": {"host": _HOST}})

    async def received(self) -> Json | None:
        """Return the next message, or None after the end.

        A message that is not a JSON object becomes an empty object.
        """
        try:
            message = json.loads(await self._websocket.receive_text())
        except (ValueError, KeyError):
            return {}
        except _GONE:
            return None
        return message if isinstance(message, dict) else {}

    async def close(self) -> None:
        """Close the connection with a close frame."""
        with contextlib.suppress(*_GONE):
            await self._websocket.close()

    def cut(self) -> None:
        """Drop the connection without a close frame."""
        cut_connection(self._websocket.scope)


class SocketMode:
    """Issue tickets, keep the connections, send envelopes and wait for their answers."""

    def __init__(self, app_id: str, feed: Feed, settings: Settings) -> None:
        self._app_id = app_id
        self._feed = feed
        self._settings = settings
        self._tickets: set[str] = set()
        self._connections: list[Connection] = []
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._turns = itertools.count()

    def methods(self) -> Mapping[str, OpenMethod]:
        """Return the Web API method that issues connection URLs."""
        return {"apps.connections.open": self._issue}

    def routes(self) -> list[WebSocketRoute]:
        """Return the route to which the app connects."""
        return [WebSocketRoute("/link/", self._serve)]

    @property
    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._connections)

    def _issue(self, token: str | None, _args: Json) -> Json:
        if not token:
            raise RefusedError("not_authed")
        if not token.startswith("xapp-"):
            raise RefusedError("not_allowed_token_type")
        if token != self._settings.app_token:
            raise RefusedError("invalid_auth")
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        query = urlencode({"ticket": ticket, "app_id": self._app_id})
        base = self._settings.public_url.replace("http", "ws", 1)
        return {"url": f"{base}/link/?{query}"}

    async def _serve(self, websocket: WebSocket) -> None:
        ticket = websocket.query_params.get("ticket", "")
        if ticket not in self._tickets:
            await websocket.close()
            return
        self._tickets.discard(ticket)
        await websocket.accept()
        connection = Connection(websocket, next(self._turns))
        if len(self._connections) >= MAX_CONNECTIONS:
            await connection.disconnect("too_many_websockets")
            await connection.close()
            return
        self._connections.append(connection)
        try:
            await self._receive_answers(connection)
        finally:
            self._connections.remove(connection)
            self._feed.changed()

    async def _receive_answers(self, connection: Connection) -> None:
        await connection.send(
            {
                "type": "hello",
                "num_connections": self.connections,
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": _HOST, "approximate_connection_time": CONNECTION_SECONDS},
            }
        )
        self._feed.changed()
        while (message := await connection.received()) is not None:
            waiting = self._waiting.get(str(message.get("envelope_id")))
            # An answer may come over another connection, because the first one may be closed.
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def send(self, request: AppRequest) -> Ack:
        """Send a request over one connection and wait for the answer until the deadline."""
        started, envelope_id = time.perf_counter(), str(uuid.uuid4())
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = answer
        try:
            async with asyncio.timeout(self._settings.ack_deadline):
                if not await self._sent(_envelope(request, envelope_id)):
                    return _no_answer(started, FAILED)
                return _ack(started, await answer)
        except TimeoutError:
            return _no_answer(started, TIMEOUT)
        finally:
            del self._waiting[envelope_id]

    async def _sent(self, envelope: Json) -> bool:
        # The connections are used in turn. Connections that are leaving are used last.
        for connection in sorted(self._connections, key=lambda one: (one.leaving, one.turn)):
            if await connection.send(envelope):
                connection.turn = next(self._turns)
                return True
        return False

    async def refresh(self) -> None:
        """Ask the app to renew every connection. Close the old ones after the renewal or a timeout."""
        old = list(self._connections)
        for connection in old:
            await connection.disconnect("refresh_requested")
        with contextlib.suppress(TimeoutError):
            await self._feed.wait_for(lambda: self._renewed() >= len(old), GRACE_SECONDS)
        for connection in old:
            await connection.close()

    def _renewed(self) -> int:
        return sum(not connection.leaving for connection in self._connections)

    async def drop(self) -> None:
        """Drop every connection without a close frame and wait until all are closed."""
        old = list(self._connections)
        for connection in old:
            connection.cut()
        await self._feed.wait_for(lambda: not set(old) & set(self._connections), GRACE_SECONDS)

    async def close(self) -> None:
        """Close every connection with a close frame."""
        for connection in list(self._connections):
            await connection.close()


def _envelope(request: AppRequest, envelope_id: str) -> Json:
    envelope: Json = {
        "envelope_id": envelope_id,
        "payload": request.body,
        "type": _TYPES.get(request.kind, "interactive"),
        "accepts_response_payload": request.kind != "event",
    }
    if request.kind == "event":
        # Over HTTP the reason is more exact. Socket Mode has no other reason.
        reason = "timeout" if request.retry else ""
        envelope |= {"retry_attempt": request.retry, "retry_reason": reason}
    return envelope


def _ack(started: float, answer: Json) -> Ack:
    payload = answer.get("payload")
    text = "" if payload is None else json.dumps(payload)
    return Ack(status=200, text=text, ms=_since(started), failure=None, via=SOCKET)


def _no_answer(started: float, failure: str) -> Ack:
    return Ack(status=None, text="", ms=_since(started), failure=failure, via=SOCKET)


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
