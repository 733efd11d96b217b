"""Confirming a proposal: once, in time, within the rules, and not beside an equal one unasked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.domain.charge import Charge, ChargeState
from bot.domain.rules import Lock, Rule, RuleError
from bot.storage.cipher import Cipher, generate_key
from bot.storage.deliveries import DeliveryStore
from bot.storage.locks import LockStore
from tests.support.ledger import LONG_AGO, Ledger
from tests.support.samples import ADA, CIPHER, GRACE, sample_charge

if TYPE_CHECKING:
    from bot.domain.identity import Identity
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


@pytest.mark.behavior(27)
async def test_a_proposal_is_confirmed_once_and_has_one_message(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    await store.add(sample_charge(clock), due_at=clock.now())
    first = await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id="V1")
    second = await store.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id="V2")
    assert first is not None
    assert first.state is ChargeState.CONFIRMED
    assert second is None
    message = await DeliveryStore(database, Cipher((generate_key(),))).get("c1")
    assert message is not None
    assert message.view_id == "V1"


@pytest.mark.parametrize(
    ("changed", "is_equal"),
    [
        ({}, True),
        ({"amount": "50.01"}, False),
        ({"identity": GRACE, "account": "did:grace"}, False),
        ({"identity": GRACE}, True),
    ],
)
async def test_a_confirmation_beside_an_equal_open_charge_needs_a_warning(
    database: Database, clock: HandClock, changed: dict[str, Any], is_equal: bool
) -> None:
    store = Ledger(database)
    other = sample_charge(clock, charge_id="c2", **changed)
    for each in (sample_charge(clock), other):
        await store.add(each, due_at=clock.now())
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    assert await store.confirm("c1", ADA, **yes) is not None
    assert (await store.open_equal(other) is not None) == is_equal
    assert (await store.confirm("c2", other.identity, **yes) is None) == is_equal
    if is_equal:
        assert await store.confirm("c2", other.identity, **yes, warned_of="c9") is None
        assert await store.confirm("c2", other.identity, **yes, warned_of="c1") is not None


async def test_a_warning_about_the_last_equal_charge_covers_all_before_it(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    for charge_id in ("c1", "c2", "c3", "c4"):
        await store.add(sample_charge(clock, charge_id=charge_id), due_at=clock.now())
    await store.add(
        sample_charge(clock, charge_id="g1", identity=GRACE, account="did:grace"), due_at=clock.now()
    )

    async def yes(charge_id: str, warned_of: str | None, who: Identity = ADA) -> Charge | None:
        clock.advance(seconds=1)
        return await store.confirm(
            charge_id, who, now=clock.now(), made_after=LONG_AGO, view_id=None, warned_of=warned_of
        )

    assert await yes("c2", None) is not None
    assert await yes("c1", "c2") is not None
    # Made before the other, and yet the last one that the person has said yes to.
    last = await store.open_equal(sample_charge(clock, charge_id="c3"))
    assert last is not None
    assert last.id == "c1"
    assert await yes("c3", "c2") is None
    assert await yes("c3", "c1") is not None
    assert await yes("c4", "c1") is None
    assert await yes("g1", None, GRACE) is not None
    assert await yes("c4", "g1") is None
    assert await yes("c4", "c3") is not None


async def test_only_one_of_several_equal_charges_confirmed_at_once_is_accepted(
    database: Database, clock: HandClock
) -> None:
    store = Ledger(database)
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    for amount in range(50, 60):
        ids = [f"{amount}-{number}" for number in range(8)]
        for each in ids:
            await store.add(sample_charge(clock, charge_id=each, amount=str(amount)), due_at=clock.now())
        answers = await asyncio.gather(*(store.confirm(each, ADA, **yes) for each in ids))
        assert len([answer for answer in answers if answer is not None]) == 1
        stored = [await store.get(each) for each in ids]
        assert sorted(each.state for each in stored if each) == [
            ChargeState.CONFIRMED,
            *[ChargeState.PROPOSED] * 7,
        ]


async def test_a_confirmation_that_is_too_late_or_locked_is_refused(
    database: Database, clock: HandClock
) -> None:
    store, locks = Ledger(database), LockStore(database, CIPHER)
    await store.add(sample_charge(clock), due_at=clock.now())
    assert await store.confirm("c1", ADA, now=clock.now(), made_after=clock.now(), view_id=None) is None
    await locks.put(Lock(locked_by=GRACE, locked_at=clock.now(), reason=None))
    yes: dict[str, Any] = {"now": clock.now(), "made_after": LONG_AGO, "view_id": None}
    assert await store.confirm("c1", ADA, **yes) is None
    await locks.remove(GRACE)
    assert await store.confirm("c1", ADA, **yes) is not None


async def test_a_broken_rule_undoes_the_confirmation(database: Database, clock: HandClock) -> None:
    store = Ledger(database)
    stored = await store.add(sample_charge(clock), due_at=clock.now())

    def check_limits(amount: Decimal, spent: Decimal | None) -> None:
        assert (amount, spent) == (Decimal("50.00"), Decimal(0))
        raise RuleError(Rule.MAX_DAILY)

    with pytest.raises(RuleError):
        await store.confirm(
            "c1",
            ADA,
            now=clock.now(),
            made_after=LONG_AGO,
            view_id=None,
            since=LONG_AGO,
            check_limits=check_limits,
        )
    assert await store.get("c1") == stored
    assert await DeliveryStore(database, Cipher((generate_key(),))).get("c1") is None
