"""The app behind the server that the command starts."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.serving import serve_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.house import House


@asynccontextmanager
async def served(house: House) -> AsyncIterator[int]:
    """Serve the app until the block ends; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_http(house.app.asgi, listener, stop))
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        await serving
