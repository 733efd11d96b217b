"""What is said of a PostgreSQL that cannot be used; all scenarios run on it too (`conftest.house`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.startup import StartError
from tests.support.house import open_house
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.postgresql


async def test_the_app_says_that_the_database_is_not_migrated(
    postgresql_server: str, tmp_path: Path
) -> None:
    async with new_database(postgresql_server) as url:
        with pytest.raises(StartError, match="billing-bot migrate"):
            async with open_house(tmp_path, database_url=url):
                pass
