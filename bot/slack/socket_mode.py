"""Slack's requests over a WebSocket that the app opens itself: no public address is needed."""

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
    """A connection that slack-sdk keeps: it opens another when Slack asks for it, or when one is lost."""

    def __init__(self, bolt: AsyncApp, app_token: str, slack: SlackClient) -> None:
        self._client: Any = AsyncSocketModeHandler(
            bolt, app_token=app_token, web_client=slack, ping_interval=PING_SECONDS
        ).client
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin to connect; when Slack is away that goes on until it is back.

        Raises:
            SlackError: Slack does not accept the app-level token.
        """
        with contextlib.suppress(SlackUnavailableError, RateLimitedError):
            self._client.wss_uri = await self._client.issue_new_wss_url()
        self._go_on(self._connect())
        self._go_on(self._keep_address_fresh())

    async def is_connected(self) -> bool:
        """Tell whether Slack's requests come through now."""
        return bool(await self._client.is_connected())

    def take_no_more(self) -> None:
        """Leave what comes now without an acknowledgement, so that Slack says so; answers still go out."""
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
        """Have another address asked for when one leads nowhere: slack-sdk tries the same one for ever."""
        while True:
            await asyncio.sleep(STALE_SECONDS)
            if not await self.is_connected():
                log.warning("socket_mode.no_connection")
                self._client.wss_uri = None
