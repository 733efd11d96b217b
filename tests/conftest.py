from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from tests.support.house import House, open_house
from tests.support.postgresql import running_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Logs as lines: structlog's own tracebacks take seconds to draw what they hold."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened
