"""Slack's requests over a WebSocket that the app opens: the app needs no public address."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot.slack.errors import RateLimitedError, SlackUnavailableError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from slack_bolt.app.async_app import AsyncApp

    from bot.slack.client import SlackClient

PING_SECONDS = 5
STALE_SECONDS = 20

log = structlog.get_logger(__name__)


class SocketMode:
    """A connection that slack-sdk maintains: it reconnects on Slack's request and after a loss."""

    def __init__(self, bolt: AsyncApp, app_token: str, slack: SlackClient) -> None:
        self._client: Any = AsyncSocketModeHandler(
            bolt, app_token=app_token, web_client=slack, ping_interval=PING_SECONDS
        ).client
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Start connecting; if Slack does not answer, keep trying in the background.

        Raises:
            SlackError: Slack does not accept the app-level token.
        """
        with contextlib.suppress(SlackUnavailableError, RateLimitedError):
            self._client.wss_uri = await self._client.issue_new_wss_url()
        self._go_on(self._connect())
        self._go_on(self._keep_address_fresh())

    async def is_connected(self) -> bool:
        """Tell whether Slack's requests can arrive now."""
        return bool(await self._client.is_connected())

    def take_no_more(self) -> None:
        """Stop acknowledging new requests, so that Slack shows an error; answers are still sent."""
        self._client.socket_mode_request_listeners.clear()

    async def aclose(self) -> None:
        """Close the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _connect(self) -> None:
        await self._client.connect()
        log.info("socket_mode.connected")

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _keep_address_fresh(self) -> None:
        """Reset the address if there is no connection: slack-sdk would retry the same one forever."""
        while True:
            await asyncio.sleep(STALE_SECONDS)
            if not await self.is_connected():
                log.warning("socket_mode.no_connection")
                self._client.wss_uri = None
