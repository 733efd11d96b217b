"""`make bench`: every figure beside another one, taken in one run; writes docs/performance.md.

python -m tests.benchmarks [NAME…]     only the rows whose names begin so; writes nothing
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from sqlite3 import sqlite_version
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped]

from tests.benchmarks.databases import Place
from tests.benchmarks.engine_rows import engine_rows
from tests.benchmarks.growth_rows import growth_rows
from tests.benchmarks.http_rows import confirm_rows, help_rows
from tests.benchmarks.model_rows import model_rows
from tests.benchmarks.process_rows import idle_rows, start_rows
from tests.benchmarks.request_rows import request_rows
from tests.benchmarks.table import Row, markdown
from tests.benchmarks.watch_rows import watch_rows
from tests.benchmarks.worker_rows import (
    in_flight_rows,
    latency_rows,
    purchase_rows,
    replica_rows,
    write_rows,
)
from tests.support.postgresql import make_template, running_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOTES = """\
## How it is measured

- Each candidate is a process of its own, on one machine, in one run. Two that are compared take turns,
  five times each, and the table shows medians. The load comes from a third process, so that on two cores
  the server has one to itself.
- The portal and Slack are one small server that answers constants (`tests/benchmarks/wire.py`), the same
  for both.
- **The bare Bolt app** (`bare.py`) acknowledges and answers a constant on the same server with the same
  options. It is Bolt as it comes, which looks for an acknowledgement every ten milliseconds; ours ends
  each listener with its acknowledgement. With one connection that is the whole difference. What our own
  work costs shows at 32 and more.
- **One insert** is made by SQLAlchemy's asynchronous engine as it comes, as durable as ours (on SQLite by
  aiosqlite, `synchronous=FULL`). *On our engine* are as many inserts in one transaction as a confirmation
  has statements, with our shared commits: what remains between those two rows is the handler.
- **The plain loop** (`plain.py`) uses our portal client and keeps nothing: what it has in flight is lost
  with it. It also acknowledges nothing, stores no confirmation, asks for no lock and writes no log. Its
  garbage collector has the same settings as ours.
- **In flight at the cadence**: of the waits between two questions about a charge, 95 % are within a tenth
  of two seconds. The steps are 500 charges wide; the first run looks for the highest, the others confirm it
  or find a lower one.
- **Sustained purchases**: 400 are going on, and one more is begun for each that ends.
- **A grown ledger and a small one** take turns by the call: a disk's pace changes from second to second.
- Each charge in flight and each purchase is another person's, so that nothing read for one serves another.
- **The engine apart** (`engines.py`): a thing is stored, waits five times, and its end is recorded; ours
  writes the audit log too. DBOS runs a workflow with one step.
- Only the pace of requests is lifted, which would slow down one person who asks a thousand times.

## The fewest a purchase can do with

- **Portal: 2.** The charge, and one question after it has settled. Each question before that is one more,
  at two seconds.
- **Slack: 4.** The conversation with the person, which is opened once in ten minutes, the post, its edit,
  and the last word in the open modal. App Home is brought up to date too for whoever has ever opened it.
- **Rows: 8.** The charge, its message, three entries in the audit log (confirmed, submitted, settled) and
  their seals.
- **Commits: 6 of its own.** The proposal, the confirmation, "submitted", "posted", "settled" and
  "edited": each stands between two things that must not be done twice. Claims, renewals and seals are
  shared with whatever else is going on.
- **Bytes.** SQLite writes each changed page twice, first to its log and then to its file, and pages have
  4 KB.

## What stands in the way

- **A confirmation on PostgreSQL, 64 at once**: it has three statements in its transaction (the charge,
  its message, the audit log) and a notice to the workers after it, where the peer has one. Each is a
  round trip, and all of them wait for one core. The row with as many inserts shows how much of the
  distance that is; the rest is what has to hold for a confirmation, asked in the same statement, and the
  modal that is answered.
- **Help's median with 128 connections** lies at the aim (1.12 to 1.27× in ten runs), and its p99 below
  the peer's: Bolt's looks every ten milliseconds answer some early and others late, ours answers in the
  order of arrival. Requests a second tell which of them works more.
- **Charges in flight**: one core. A question costs 0.44 ms of CPU, 0.38 ms in the plain loop; the rest are
  the leases, which are renewed every three seconds.
- **Three replicas on two cores**: 1.19 to 1.27× the CPU a purchase in four runs. Each gathers less at a
  time than one would, and five processes and PostgreSQL share two cores' caches.
- **Sustained purchases beside the plain loop**: the difference is the store, the signed request with the
  confirmation, and one more call to Slack.
"""
WANTED = {"SQLite": 50.0, "PostgreSQL": 100.0}
PAGE = Path(__file__).parents[2] / "docs/performance.md"


async def main(names: list[str]) -> None:
    """Measure, and print each row as it comes; all of them together are the page."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(running_server())
        postgresql = await _version(server.url)
        places = [
            Place(name="SQLite"),
            Place(name="PostgreSQL", server=server.url, template=await make_template(server.url)),
        ]
        for name, measure in _measurements(folder, places):
            if names and not name.startswith(tuple(names)):
                continue
            async for row in measure():
                sys.stdout.write("  ".join(row.cells()) + "\n")
                sys.stdout.flush()
                rows.append(row)
                if not names:
                    PAGE.write_text(_page(rows, postgresql))


def _measurements(folder: Path, places: list[Place]) -> list[tuple[str, Callable[[], AsyncIterator[Row]]]]:
    return [
        ("help", lambda: help_rows(folder)),
        *_each("confirm", places, lambda place: confirm_rows(folder, place)),
        ("flight", lambda: in_flight_rows(folder, places)),
        *_each("purchases", places, lambda place: purchase_rows(folder, place, WANTED[place.name])),
        *_each("latency", places, lambda place: latency_rows(folder, place)),
        *_each("writes", places, lambda place: write_rows(folder, place)),
        *_each("replicas", places[1:], lambda place: replica_rows(folder, place)),
        *_each("start", places, lambda place: start_rows(folder, place)),
        *_each("idle", places, lambda place: idle_rows(folder, place)),
        *_each("engine", places, lambda place: engine_rows(folder, place)),
        *_each("growth", places, lambda place: growth_rows(folder, place)),
        *_each("growth-model", places[1:], lambda place: model_rows(folder, place)),
        *_each("requests", places, lambda place: request_rows(folder, place)),
        *_each("watch", places, lambda place: watch_rows(folder, place)),
    ]


def _each(
    name: str, places: list[Place], measure: Callable[[Place], AsyncIterator[Row]]
) -> list[tuple[str, Callable[[], AsyncIterator[Row]]]]:
    return [(f"{name}-{place.name}", partial(measure, place)) for place in places]


async def _version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _page(rows: list[Row], postgresql: str) -> str:
    packages = (
        "slack-bolt",
        "starlette",
        "uvicorn",
        "sqlalchemy",
        "asyncpg",
        "httpx",
        "aiohttp",
    )
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"""# Measured speed

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {platform.machine()}, {os.cpu_count()} cores,
{platform.system()}, Python {platform.python_version()}, PostgreSQL {postgresql}, SQLite {sqlite_version};
{versions}.

{markdown(rows)}

{NOTES}"""


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
