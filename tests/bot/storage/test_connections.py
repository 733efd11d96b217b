"""Connections are shared fairly."""

from __future__ import annotations

import asyncio
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

if TYPE_CHECKING:
    from bot.storage.database import Database

PEOPLE = range(60)
ROUNDS = 10


async def test_connections_are_shared_fairly(database: Database) -> None:
    served: Counter[int] = Counter(dict.fromkeys(PEOPLE, 0))
    ahead: list[int] = []

    async def ask(person: int) -> None:
        for _ in range(ROUNDS):
            async with database.transaction() as connection:
                await connection.execute(text("SELECT 1"))
                served[person] += 1
                ahead.append(max(served.values()) - min(served.values()))

    await asyncio.gather(*map(ask, PEOPLE))
    # The median: a connection that is being opened may keep one person waiting for some rounds.
    assert median(ahead) <= ROUNDS // 3


async def test_a_task_that_holds_a_connection_is_warned_of_a_second(database: Database) -> None:
    async with database.transaction():
        with pytest.warns(ResourceWarning, match="a second connection"):
            async with database.read() as connection:
                await connection.execute(text("SELECT 1"))
    async with database.read() as connection:
        await connection.execute(text("SELECT 1"))
