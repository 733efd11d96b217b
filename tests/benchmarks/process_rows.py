"""What a process costs: its start, its idling, its memory."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.benchmarks import processes
from tests.benchmarks.table import RUNS, Row, ratio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import psutil

    from tests.benchmarks.databases import Place

IDLE_SECONDS = 6.0
KILO = 1000


async def start_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """From the command to ready, on a database that is there, beside the bare app."""
    own, bare = [], []
    async with place.database(folder) as url, processes.wire() as wire:
        async with processes.ours(wire, url, folder, fill=False):
            pass
        for _ in range(RUNS):
            started = time.perf_counter()
            async with processes.ours(wire, url, folder, fill=False):
                own.append(time.perf_counter() - started)
            started = time.perf_counter()
            async with processes.bare():
                bare.append(time.perf_counter() - started)
    yield ratio(f"start to ready, {place.name}", own, bare, unit="s", peer="bare Bolt app", below=1.5)


async def idle_rows(folder: Path, place: Place) -> AsyncIterator[Row]:
    """CPU with nothing to do, and memory with more and more in flight, beside the bare app."""
    async with processes.bare_process() as (_, process):
        bare_share, bare_resident = await _watched(process)
    shares: dict[int, float] = {}
    resident: dict[int, int] = {}
    for going in (0, 500, 2_000):
        async with processes.house(place, folder, going=going) as house:
            shares[going], resident[going] = await _watched(house.process)
    yield Row(
        what=f"CPU when idle, {place.name}",
        ours=f"{shares[0]:.2%}",
        beside=f"{bare_share:.2%} (bare Bolt app)",
        aim="< 1%",
        met=shares[0] < 0.01,
    )
    each = (resident[2_000] - resident[0]) / 2_000 / KILO
    yield Row(
        what=f"memory with 0, 500 and 2,000 in flight, {place.name}",
        ours=", ".join(f"{size / KILO / KILO:.0f} MB" for size in resident.values()),
        beside=f"{bare_resident / KILO / KILO:.0f} MB (bare Bolt app)",
        ratio=f"{each:.1f} KB a charge",
        aim="< 60 KB a charge",
        met=each < 60,
    )


async def _watched(process: psutil.Process) -> tuple[float, int]:
    """Return the share of a CPU that a process takes, and its memory in bytes, once it has settled."""
    await asyncio.sleep(4)  # what a start leaves to do is done by then
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(IDLE_SECONDS)
    return (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS, process.memory_info().rss
