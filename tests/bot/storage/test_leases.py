"""Leases: who may work on a row, and for how long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from bot.domain.charge import ChargeState
from bot.engine import LeaseLostError
from bot.storage.tables import charges
from tests.support.ledger import LONG_AGO, Ledger, end_leases, held
from tests.support.samples import ADA, sample_charge

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


async def test_a_row_is_held_by_one_at_a_time_until_its_lease_ends(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert len(await store.leases.claim(10, 15)) == 1
    assert await store.leases.claim(10, 15) == []
    await end_leases(database)
    again = await store.leases.claim(10, 15)
    assert [claim.attempts for claim in again] == [2]


async def test_a_process_that_lost_its_lease_changes_nothing(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    paused = await held(store.leases, clock)
    await end_leases(database)
    winner = await held(store.leases, clock)

    with pytest.raises(LeaseLostError):
        await store.move(paused, ChargeState.CONFIRMED, ChargeState.SUBMITTED, portal_charge_id="x")
    with pytest.raises(LeaseLostError):
        await store.change(paused, checked_at=clock.now())
    await store.leases.release(paused.claim, None, failed=False)

    moved = await store.move(winner, ChargeState.CONFIRMED, ChargeState.SUBMITTED, portal_charge_id="y")
    assert moved.portal_charge_id == "y"
    assert await store.leases.renew([paused.claim, winner.claim], 15) == {("c1", winner.token)}


async def test_an_unreadable_charge_does_not_block_the_others(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.add(sample_charge(clock, charge_id="c2", amount="20"), due_at=clock.now())
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    for charge_id in ("c1", "c2"):
        assert await store.confirm(charge_id, ADA, **yes) is not None
    async with database.transaction() as connection:
        await connection.execute(update(charges).where(charges.c.id == "c1").values(state="of 2027"))
    claims = {claim.id: claim for claim in await store.leases.claim(10, 15)}
    with pytest.raises(ValueError, match="of 2027"):
        claims["c1"].load()
    assert claims["c2"].load() is not None


async def test_a_wake_during_the_work_is_not_lost_on_release(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    lease = await held(store.leases, clock)
    await store.ask_check("c1", now=clock.now(), view_id=None)
    await store.leases.release(lease.claim, None, failed=False)
    assert await store.leases.next_due() == clock.now()


async def test_a_row_released_without_a_date_is_not_due_again(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    lease = await held(store.leases, clock)
    await store.leases.release(lease.claim, None, failed=False)
    clock.advance(days=365)
    assert await store.leases.claim(10, 15) == []
    assert await store.leases.next_due() is None


async def test_attempts_count_the_runs_since_the_last_proper_return(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    first = await held(store.leases, clock)
    await store.leases.release(first.claim, clock.now(), failed=True)
    second = await held(store.leases, clock)
    assert second.claim.attempts == 2
    await store.leases.release(second.claim, clock.now(), failed=False)
    assert (await held(store.leases, clock)).claim.attempts == 1


async def test_leases_of_the_previous_process_are_cleared(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await held(store.leases, clock)
    await store.leases.clear()
    assert (await held(store.leases, clock)).claim.attempts == 2


async def test_two_claimants_never_get_the_same_row(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    for number in range(20):
        await store.add(sample_charge(clock, charge_id=f"c{number}"), due_at=clock.now())
    taken = await asyncio.gather(*(store.leases.claim(5, 15) for _ in range(6)))
    ids = [claim.id for claims in taken for claim in claims]
    assert len(ids) == len(set(ids))
