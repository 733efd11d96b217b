"""The proof in short; `make chaos` is the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.run import Plan, run
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgresql import Server

pytestmark = pytest.mark.postgresql


async def test_in_a_storm_each_yes_is_one_charge_and_one_message_with_its_true_end(
    postgresql: Server, postgresql_template: str, tmp_path: Path
) -> None:
    plan = Plan(seed=2026, purchases=16, replicas=3, seconds=15, people=8)
    async with new_database(postgresql.url, postgresql_template) as url:
        outcome = await run(plan, tmp_path, url)
    assert outcome.kept, outcome.table()


async def test_in_a_storm_each_request_is_decided_once_and_paid_at_most_once(
    postgresql: Server, postgresql_template: str, tmp_path: Path
) -> None:
    plan = Plan(seed=2026, purchases=8, replicas=3, seconds=12, people=4, asks=True)
    async with new_database(postgresql.url, postgresql_template) as url:
        outcome = await run(plan, tmp_path, url)
    assert outcome.kept, outcome.table()
