from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.storage.database import Database
from bot.storage.schema import migrate
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class HandClock:
    """A clock that a test moves; sleeping moves it too."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Database]:
    async with contextlib.AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        if request.param == "postgresql":
            server = request.getfixturevalue("postgresql_server")
            url = await stack.enter_async_context(new_database(server))
        made = Database(url, clock)
        stack.push_async_callback(made.aclose)
        await migrate(made)
        yield made
