from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog

from tests.support.house import House, open_house
from tests.support.postgresql import Server, make_template, running_server

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
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(postgresql: Server) -> str:
    """The URL of the server's first database."""
    return postgresql.url


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a database with the newest schema."""
    # In a thread: the first to ask may be a test whose loop runs already.
    with ThreadPoolExecutor() as thread:
        return thread.submit(asyncio.run, make_template(postgresql_server)).result()


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened
