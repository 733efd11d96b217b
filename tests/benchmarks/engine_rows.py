"""The engine apart, beside DBOS with one polling step and beside a plain loop, on the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import processes
from tests.benchmarks.table import RUNS, Row, ratio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.benchmarks.databases import Place

COUNT = 300
POLLS = 5
POLL_SECONDS = 0.2


async def engine_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """What a durable thing costs from its beginning to its recorded end."""
    costs: dict[str, list[float]] = {"ours": [], "dbos": [], "plain": []}
    for _ in range(RUNS):
        for name, found in costs.items():
            async with place.database(folder, empty=True) as url:
                printed = await processes.output_of(
                    "tests.benchmarks.engines", name, url, str(COUNT), str(POLLS), str(POLL_SECONDS)
                )
            found.append(float(printed))
    what = f"engine: CPU a durable thing, {place.name}"
    yield ratio(what, costs["ours"], costs["dbos"], unit="ms", peer="DBOS 3.4, one polling step", at_most=1)
    yield ratio(what, costs["ours"], costs["plain"], unit="ms", peer="plain loop, which keeps nothing")
