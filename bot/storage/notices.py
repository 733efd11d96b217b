"""Hears of work that other processes have announced (PostgreSQL's LISTEN and NOTIFY)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from bot.storage.connection import PostgresqlEngine
from bot.storage.database import CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.storage.database import Database

AGAIN_SECONDS = 2.0
ALIVE_SECONDS = 30.0

log = structlog.get_logger(__name__)


async def listen(database: Database, missed: Callable[[], None]) -> None:
    """Pass announcements on to `database.wake` until cancelled; returns at once on SQLite.

    `missed` is called whenever the connection is there (again): what was announced before is unknown.
    A lost connection is made anew. Nothing depends on this but the seconds until the next regular look.
    """
    engine = database.engine
    while isinstance(engine, PostgresqlEngine):
        try:
            await _listen(database, engine, missed)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises means the same here
            log.warning("notices.lost", problem=type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)


async def _listen(database: Database, engine: PostgresqlEngine, missed: Callable[[], None]) -> None:
    gone = asyncio.Event()

    def heard(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        process, *kinds = payload.split()
        if process != database.process:
            database.wake(*kinds)

    async with engine.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda _connection: gone.set())
        await driver.add_listener(CHANNEL, heard)
        try:
            missed()
            while not gone.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_SECONDS):
                        await gone.wait()
                # A connection that died without a word is noticed by asking.
                await driver.execute("SELECT 1")
        finally:
            if not driver.is_closed():
                await driver.remove_listener(CHANNEL, heard)
