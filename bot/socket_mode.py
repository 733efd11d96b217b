"""Slack's requests over a WebSocket that the app opens itself: no public address is needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp

    from bot.slack import SlackClient

PING_SECONDS = 5


class SocketMode:
    """A connection that slack-sdk keeps: it opens another when Slack asks for it, or when one is lost."""

    def __init__(self, bolt: AsyncApp, app_token: str, slack: SlackClient) -> None:
        self._handler = AsyncSocketModeHandler(
            bolt, app_token=app_token, web_client=slack, ping_interval=PING_SECONDS
        )
        self._connecting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to connect; slack-sdk tries until it does."""
        client = self._handler.client
        self._connecting = asyncio.ensure_future(client.connect())  # type: ignore[no-untyped-call]

    async def is_connected(self) -> bool:
        """Tell whether Slack's requests come through now."""
        return bool(await self._handler.client.is_connected())

    async def aclose(self) -> None:
        """Take no more requests."""
        if self._connecting is not None:
            self._connecting.cancel()
        await self._handler.client.close()  # type: ignore[no-untyped-call]
        await asyncio.gather(*filter(None, [self._connecting]), return_exceptions=True)
