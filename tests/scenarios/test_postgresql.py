"""The same house on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.app import StartError
from bot.runtime import SystemClock
from bot.storage.database import Database
from bot.storage.schema import migrate
from tests.support.house import ADA, House, open_house
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.postgresql


@pytest_asyncio.fixture
async def on_postgresql(postgresql_server: str, tmp_path: Path) -> AsyncIterator[House]:
    async with new_database(postgresql_server) as url:
        database = Database(url, SystemClock())
        await migrate(database)
        await database.aclose()
        async with open_house(tmp_path, database_url=url) as house:
            yield house


async def test_connecting_and_buying(on_postgresql: House) -> None:
    house = on_postgresql
    await house.connect()
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


async def test_an_expired_token_is_refreshed_under_the_rows_lock(on_postgresql: House) -> None:
    house = on_postgresql
    await house.link()
    house.portal.expire_access_tokens()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Balance $142.50" in house.last_ephemeral()["text"])


async def test_a_charge_goes_on_after_a_restart(on_postgresql: House) -> None:
    house = on_postgresql
    await house.link()
    await house.buy("10.05")
    await house.submitted()
    await house.restart()
    await house.told("$10.05 added to your balance")
    assert len(house.portal.charges) == 1


async def test_a_database_that_is_not_migrated_is_said_so(postgresql_server: str, tmp_path: Path) -> None:
    async with new_database(postgresql_server) as url:
        with pytest.raises(StartError, match="billing-bot migrate"):
            async with open_house(tmp_path, database_url=url):
                pass
