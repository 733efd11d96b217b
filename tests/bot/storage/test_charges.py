"""Charges as the ledger keeps them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.domain.charge import ChargeState, IllegalTransitionError
from bot.domain.errors import RefusalCode
from bot.engine import LeaseLostError
from tests.support.ledger import LONG_AGO, Ledger, held
from tests.support.samples import ADA, GRACE, sample_charge

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


async def test_a_charge_comes_back_as_it_was_stored(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    stored = await store.add(sample_charge(clock), due_at=clock.now())
    assert replace(stored, offer_signature=None) == sample_charge(clock)
    assert await store.get("c1") == stored
    assert await store.get("c1", owner=ADA.key) == stored


async def test_a_person_cannot_read_or_change_another_persons_charge(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.get("c1", owner=GRACE.key) is None
    assert await store.confirm("c1", GRACE, now=clock.now(), made_after=LONG_AGO, view_id=None) is None
    assert await store.cancel("c1", GRACE.key, now=clock.now()) is None


async def test_a_cancelled_proposal_cannot_be_confirmed(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.cancel("c1", ADA.key, now=clock.now()) is not None
    assert await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None) is None


async def test_a_key_is_never_stored_twice(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.add(replace(sample_charge(clock), id="c2"), due_at=clock.now())


async def test_a_stale_change_of_state_is_refused(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    lease = await held(store.leases, clock)
    await store.move(lease, ChargeState.CONFIRMED, ChargeState.REFUSED, refusal=RefusalCode.ROLE_REQUIRED)
    with pytest.raises(LeaseLostError):
        await store.move(lease, ChargeState.CONFIRMED, ChargeState.SUBMITTED)
    with pytest.raises(IllegalTransitionError):
        await store.move(lease, ChargeState.REFUSED, ChargeState.SETTLED)
    stored = await store.get("c1")
    assert stored is not None
    assert (stored.state, stored.refusal) == (ChargeState.REFUSED, RefusalCode.ROLE_REQUIRED)


async def test_history_is_newest_first_and_holds_confirmed_charges_only(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    for number in range(4):
        made = sample_charge(clock, charge_id=f"c{number}", amount=f"5{number}.00")
        await store.add(made, due_at=clock.now())
        if number != 2:
            await store.confirm(made.id, ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
        clock.advance(seconds=1)
    assert [each.id for each in await store.of_owner(ADA.key, limit=2)] == ["c3", "c1"]
