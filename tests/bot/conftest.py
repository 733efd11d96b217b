from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.storage.database import Database
from bot.storage.schema import migrate

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


@pytest_asyncio.fixture
async def database(tmp_path: Path, clock: HandClock) -> AsyncIterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'store.db'}", clock)
    await migrate(made)
    yield made
    await made.aclose()
