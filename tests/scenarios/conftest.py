from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from freezegun import freeze_time

from tests.support.house import House, open_house
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Every scenario on both databases."""
    async with AsyncExitStack() as stack:
        changed: dict[str, Any] = {}
        if request.param == "postgresql":
            server, template = map(request.getfixturevalue, ["postgresql_server", "postgresql_template"])
            changed["database_url"] = await stack.enter_async_context(new_database(server, template))
        yield await stack.enter_async_context(open_house(tmp_path, **changed))


@pytest.fixture
def clock() -> Iterator[Any]:
    """The time, which a test moves."""
    with freeze_time(real_asyncio=True, tick=True) as frozen:
        yield frozen
