from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.storage.database import Database
from tests.support.postgresql import new_database
from tests.support.sqlite import new_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LEDGER = {"test_charges", "test_confirmation", "test_isolation", "test_leases", "test_ledger_machine"}


class HandClock:
    """A clock that a test moves; sleeping moves it too."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def wall(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def advance(self, **span: float) -> None:
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a database on each of them, the ledger's under every default isolation of one."""
    if "database" not in metafunc.fixturenames:
        return
    names = ["postgresql"]
    if metafunc.module.__name__.rpartition(".")[2] in LEDGER:
        names += ["postgresql-repeatable-read", "postgresql-serializable"]
    others = [pytest.param(name, marks=pytest.mark.postgresql) for name in names]
    metafunc.parametrize("database", ["sqlite", *others], indirect=True)


@pytest_asyncio.fixture
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Database]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "sqlite":
            url = new_ledger(tmp_path / "store.db")
        else:
            server, template = map(request.getfixturevalue, ["postgresql_server", "postgresql_template"])
            isolation = request.param.removeprefix("postgresql").lstrip("-").replace("-", " ") or None
            url = await stack.enter_async_context(new_database(server, template, isolation=isolation))
        made = Database(url, clock)
        stack.push_async_callback(made.aclose)
        yield made
