"""The benchmarks can fill a ledger of the newest schema; how fast they are is measured elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from bot.domain.charge import ChargeState
from bot.storage.tables import charges, deliveries
from tests.benchmarks import growth_rows, ours
from tests.benchmarks.databases import Place

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Table

    from bot.storage.database import Database
    from tests.support.house import House


async def count(database: Database, table: Table) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)))


async def test_proposals_and_charges_in_flight_are_put_into_the_ledger(house: House) -> None:
    runtime = house.app.runtime
    made = [ours.charge(runtime, 1, ChargeState.PROPOSED), ours.charge(runtime, 2, ChargeState.SUBMITTED)]
    await ours.link(runtime, {each.identity for each in made})
    await ours.fill(runtime, made, due=False)
    assert (await count(runtime.database, charges), await count(runtime.database, deliveries)) == (2, 1)


@pytest.mark.parametrize("name", ["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.postgresql)])
async def test_a_grown_ledger_is_made_and_asked(
    tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    place = Place(name=name)
    if name == "PostgreSQL":
        place = Place(name=name, server=request.getfixturevalue("postgresql_server"))
    async with growth_rows.ledger(place, tmp_path) as database:
        await growth_rows.fly(database, growth_rows.SMALL)
        for ask in growth_rows.questions(database).values():
            await ask()
        await growth_rows.put_back(database)
