from __future__ import annotations

import asyncio
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog
from hypothesis import settings

from bot.serving import settle_memory
from tests.support.house import House, open_house
from tests.support.postgresql import Server, make_template, running_server
from tests.support.sqlite import keep_compiled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


PROVING = bool(os.environ.get("PROVE"))
QUICK = bool(os.environ.get("QUICK"))
SAMPLED = {
    "test_killed_there_it_is_one_charge_one_message_and_its_true_end": 16,
    "test_killed_there_an_alert_is_told_once_and_says_how_it_got_worse": 9,
    "test_one_that_wakes_after_its_work_was_taken_over_does_no_harm": 7,
    "test_every_point_that_is_passed_is_in_the_matrix": 3,
    "test_told_to_stop_there_it_ends_with_0_and_then_it_is_the_same": 24,
    "test_a_purchase_under_way_in_the_copy_is_followed_up_with_its_own_key": 2,
    "test_a_purchase_after_the_copy_is_not_made_again": 2,
    "test_installed_from_its_wheel_the_demo_settles_a_purchase": 3,
    "test_the_audit_log_of_a_copy_ends_before_what_was_noted_later": 2,
    **dict.fromkeys(
        (
            "test_the_overview_shows_each_refusal",
            "test_the_purchase_modal_shows_each_refusal",
            "test_a_confirmed_charge_shows_each_refusal",
            "test_a_refusal_while_polling_is_never_called_a_failure",
        ),
        9 if QUICK else 3,
    ),
}
"""Tests of many cases, of which every second, twelfth … runs; `make prove` runs all of them."""

ON_POSTGRESQL = (
    {"scenarios": 60, "installs": 60, "storage": 8} if QUICK else {"scenarios": 20, "installs": 20}
)
"""The same for what runs on PostgreSQL in these folders: on SQLite each of them runs."""

CASES_APART = 3
"""Of a scenario with several cases, a quick run takes the first, the fourth …"""

LONGEST = frozenset(
    {
        "browser/test_screens.py",
        "chaos/test_chaos.py",
        "deploy/test_pythons.py",
        "deploy/test_wheel.py",
        "outages/test_clock.py",
        "replicas/test_replicas.py",
    }
)
"""Files with tests of ten seconds and more."""

settings.register_profile("prove", max_examples=2_000, deadline=None, print_blob=True)
settings.register_profile("quick", max_examples=10, deadline=None, print_blob=True)
settings.register_profile("check", max_examples=50, print_blob=True)
settings.load_profile("prove" if PROVING else "quick" if QUICK else "check")


def pytest_configure() -> None:
    keep_compiled()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of the run what `make prove` runs besides: always the same cases, on each worker."""
    if PROVING:
        return
    seen: Counter[str] = Counter()
    left_out = []
    for item in items:
        name, _, case = item.name.partition("[")
        every = SAMPLED.get(name, 1)
        folder = item.path.parent.name
        if folder in ON_POSTGRESQL and "postgresql" in case:
            name, every = f"{folder} on PostgreSQL", max(every, ON_POSTGRESQL[folder])
        seen[name] += 1
        is_one_of_many = QUICK and name not in SAMPLED and case.startswith("sqlite-")
        if seen[name] % every or (is_one_of_many and seen[name] % CASES_APART != 1):
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
    _begin_with_the_longest(items)


def pytest_collection_finish() -> None:
    """Collect garbage as rarely as the served app does: it is a fifth of a scenario's time."""
    settle_memory()


def _begin_with_the_longest(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the longest tests, so that none is left for the end.

    xdist gives each worker a run of the items that is as long as the others', and then evens out. The
    others are mixed, in the same order each time: tests that wait stand between tests that work.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    longest = [item for item in items if _file(item) in LONGEST]
    mixed = [item for item in items if _file(item) not in LONGEST]
    if workers > 1:
        Random(len(mixed)).shuffle(mixed)  # noqa: S311 - an order is no secret
    others = iter(mixed)
    size, ordered = -(-len(items) // workers), []
    for worker in range(workers):
        share = longest[worker::workers]
        ordered += [*share, *islice(others, size - len(share))]
    items[:] = ordered


def _file(item: pytest.Item) -> str:
    return f"{item.path.parent.name}/{item.path.name}"


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
