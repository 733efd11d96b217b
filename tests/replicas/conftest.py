from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.support.cluster import Cluster, open_cluster
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgresql import Server


@pytest_asyncio.fixture
async def cluster(postgresql: Server, postgresql_template: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with (
        new_database(postgresql.url, postgresql_template) as url,
        open_cluster(tmp_path, url) as opened,
    ):
        yield opened
        assert opened.slack.violations == []
