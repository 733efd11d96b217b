"""Reads that are wanted at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bot.storage.batch_loader import MOST_AT_ONCE, BatchLoader

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Table:
    """Rows, and the reads that it has seen. A read sees the rows as they are when it begins."""

    rows: dict[str, int] = field(default_factory=dict)
    reads: list[list[str]] = field(default_factory=list)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False

    async def read(self, keys: Sequence[str]) -> dict[str, int]:
        self.reads.append(list(keys))
        seen = {key: self.rows[key] for key in keys if key in self.rows}
        await self.goes_on.wait()
        if self.away:
            raise ConnectionError
        return seen


@pytest.fixture
def table() -> Table:
    return Table()


async def begun(table: Table, reads: int) -> None:
    async with asyncio.timeout(5):
        while len(table.reads) < reads:
            await asyncio.sleep(0)


async def test_reads_at_the_same_time_become_one_query(table: Table) -> None:
    table.rows = {"ada": 1, "grace": 2}
    table.goes_on.set()
    gathered = BatchLoader(table.read)
    found = await asyncio.gather(*(gathered.get(who) for who in ("ada", "grace", "ada", "nobody")))
    assert found == [1, 2, 1, None]
    assert table.reads == [["ada", "grace", "nobody"]]


async def test_a_read_in_progress_does_not_serve_later_requests(table: Table) -> None:
    table.rows["ada"] = 1
    gathered = BatchLoader(table.read)
    first = asyncio.create_task(gathered.get("ada"))
    await begun(table, 1)
    table.rows["ada"] = 2
    later = asyncio.create_task(gathered.get("ada"))
    await asyncio.sleep(0)
    table.goes_on.set()
    assert (await first, await later) == (1, 2)


async def test_a_failed_read_fails_only_the_requests_that_waited_for_it(table: Table) -> None:
    table.rows["ada"] = 1
    table.away = True
    table.goes_on.set()
    gathered = BatchLoader(table.read)
    failed = await asyncio.gather(*(gathered.get("ada") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [ConnectionError] * 3
    table.away = False
    assert await gathered.get("ada") == 1


async def test_a_cancelled_request_does_not_affect_the_others(table: Table) -> None:
    table.rows["ada"] = 1
    gathered = BatchLoader(table.read)
    gone, patient = (asyncio.create_task(gathered.get("ada")) for _ in range(2))
    await begun(table, 1)
    gone.cancel()
    table.goes_on.set()
    assert await patient == 1
    assert gone.cancelled()


async def test_many_are_read_in_portions(table: Table) -> None:
    table.rows = {str(number): number for number in range(2 * MOST_AT_ONCE + 1)}
    table.goes_on.set()
    gathered = BatchLoader(table.read)
    found = await asyncio.gather(*(gathered.get(key) for key in table.rows))
    assert found == list(table.rows.values())
    assert [len(keys) for keys in table.reads] == [MOST_AT_ONCE, MOST_AT_ONCE, 1]
