"""What a connection may cost before there is a request on it, and after its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.timing import HEAD_SECONDS

if TYPE_CHECKING:
    import asyncio

MOST_WITHOUT_HEAD = 1_000

log = structlog.get_logger(__name__)


class HttpProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with a bound for connections that never finish the head of a request.

    A head is whole within HEAD_SECONDS of the connection, or of its first byte on a connection that is kept
    alive. If MOST_WITHOUT_HEAD are waited for, the oldest gives way. A connection whose answer came before
    its request's body was read is closed with the answer.
    """

    _without_head: dict[HttpProtocol, asyncio.TimerHandle] = {}  # noqa: RUF012 - all connections share it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read, and wait for the rest of a head that has begun."""
        super().data_received(data)
        if self._is_within_head():
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Close the connection if the rest of the request will not be read."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self.transport.close()

    def _is_within_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None

    def _wait_for_head(self) -> None:
        if self in self._without_head:
            return
        if len(self._without_head) >= MOST_WITHOUT_HEAD:
            oldest = next(iter(self._without_head))
            log.warning("http.connections_without_request", most=MOST_WITHOUT_HEAD)
            oldest.give_up()
        self._without_head[self] = self.loop.call_later(HEAD_SECONDS, self.give_up)

    def _stop_waiting(self) -> None:
        if (timer := self._without_head.pop(self, None)) is not None:
            timer.cancel()

    def give_up(self) -> None:
        """Close the connection."""
        self._stop_waiting()
        self.transport.abort()
