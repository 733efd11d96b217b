"""What the portal sends at its most extreme is stored whole, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from bot.domain.charge import ChargeState
from bot.domain.errors import (
    ChargeNotFoundError,
    NoOrganizationError,
    PortalRefusalError,
    RefusalCode,
    SeveralChargesError,
)
from bot.domain.money import MOST
from bot.domain.payment import PaymentMethod
from bot.portal.error_map import error_for
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.billing import BillingStateWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from bot.portal.transport import Answer
from bot.storage.charges.permits import permit
from bot.storage.cipher import Cipher, generate_key
from bot.storage.links import LinkStore
from bot.storage.tables import charges
from tests.support import extremes
from tests.support.ledger import LONG_AGO, Ledger, held
from tests.support.samples import ACCOUNT, ADA, sample_charge, sample_link

if TYPE_CHECKING:
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock

BASE = "https://portal.nousresearch.com"


async def test_any_account_that_is_read_can_be_linked(database: Database, clock: HandClock) -> None:
    store = LinkStore(database, Cipher((generate_key(),)))
    for _, body in extremes.mutations(extremes.ACCOUNT):
        try:
            account = read(AccountWire, body).to_domain().account
        except (UnusableAnswerError, NoOrganizationError):
            continue
        await store.put(sample_link(clock, account=account))
        stored = await store.get(ADA)
        assert stored is not None
        assert stored.account == account


async def test_any_state_that_is_read_can_be_bought_in(database: Database, clock: HandClock) -> None:
    ledger = Ledger(database)
    for number, (_, body) in enumerate(extremes.mutations(extremes.STATE)):
        try:
            state = read(BillingStateWire, body).to_domain(BASE)
        except UnusableAnswerError:
            continue
        proposed = replace(
            sample_charge(clock, charge_id=f"c{number}"),
            organization_id=state.organization_id,
            organization_name=state.organization_name,
            payment_method=state.payment_method,
            portal_url=state.portal_url,
        )
        stored = await ledger.add(proposed, due_at=clock.now() + timedelta(minutes=15))
        assert await ledger.get(proposed.id) == stored


async def test_any_refusal_that_is_read_is_stored_with_its_words(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database)
    for number, (_, body) in enumerate(extremes.mutations(extremes.REFUSAL)):
        error = error_for(Answer(status=403, body=body), base=BASE, money=True)
        if not isinstance(error, PortalRefusalError):
            continue
        # No two alike: an equal one without an end would ask first.
        proposed = sample_charge(clock, charge_id=f"c{number}", amount=f"{number + 5}.00")
        await ledger.add(proposed, due_at=clock.now() + timedelta(minutes=15))
        await ledger.confirm(proposed.id, ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
        lease = await held(ledger.leases, clock)
        refused = await ledger.move(
            lease,
            ChargeState.CONFIRMED,
            ChargeState.REFUSED,
            refusal=error.code,
            refusal_detail=error.detail,
            portal_url=error.portal_url,
        )
        assert (refused.refusal_detail, refused.portal_url) == (error.detail, error.portal_url)


@pytest.mark.parametrize(
    "facts",
    [
        {"portal_charge_id": "c" * 303},
        {"portal_charge_id": "c" * 2000},
    ],
    ids=lambda facts: f"{len(facts['portal_charge_id'])} characters",
)
async def test_a_charges_id_is_stored_whole(
    database: Database, clock: HandClock, facts: dict[str, Any]
) -> None:
    ledger = Ledger(database)
    await ledger.add(sample_charge(clock), due_at=clock.now() + timedelta(minutes=15))
    await ledger.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    lease = await held(ledger.leases, clock)
    submitted = await ledger.move(lease, ChargeState.CONFIRMED, ChargeState.SUBMITTED, **facts)
    assert submitted.portal_charge_id == facts["portal_charge_id"]


@pytest.mark.parametrize(
    "amount", [MOST, -MOST, Decimal("0.123456789012345678"), MOST - Decimal("0.01")], ids=str
)
async def test_a_settled_amount_is_stored_as_it_was_read(
    database: Database, clock: HandClock, amount: Decimal
) -> None:
    ledger = Ledger(database)
    await ledger.add(sample_charge(clock), due_at=clock.now() + timedelta(minutes=15))
    await ledger.confirm("c1", ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    lease = await held(ledger.leases, clock)
    settled = await ledger.move(lease, ChargeState.CONFIRMED, ChargeState.SETTLED, settled_amount=amount)
    assert settled.settled_amount == amount


async def test_a_charge_of_an_earlier_release_names_its_card(database: Database, clock: HandClock) -> None:
    ledger = Ledger(database)
    await ledger.add(sample_charge(clock), due_at=clock.now() + timedelta(minutes=15))
    async with database.transaction() as connection:
        await connection.execute(update(charges).values(payment_method=None, card="Visa ····4242"))
    found = await ledger.get("c1")
    assert found is not None
    assert found.payment_method == PaymentMethod(brand="Visa ····4242")


async def test_charges_are_found_by_the_beginning_of_our_id_or_the_portals(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database)
    for number, portal_id in (("aa11", "ch_x1"), ("aa22", "ch_y%"), ("aa1", None)):
        await ledger.add(sample_charge(clock, charge_id=number), due_at=clock.now() + timedelta(minutes=15))
        async with database.transaction() as connection:
            await connection.execute(
                update(charges).where(charges.c.id == number).values(portal_charge_id=portal_id)
            )

    async def found(beginning: str, owner: str | None = ADA.key) -> str:
        return (await ledger.find(owner, beginning)).id

    assert await found("ch_x") == "aa11"
    assert await found("ch_y%") == "aa22"
    assert await found("aa2") == "aa22"
    assert await found("aa1") == "aa1"
    assert await found("aa2", owner=None) == "aa22"
    with pytest.raises(SeveralChargesError):
        await found("aa")
    for beginning, owner in (("%", ADA.key), ("aa2", "T0ACME:U0GRACE")):
        with pytest.raises(ChargeNotFoundError):
            await found(beginning, owner)


async def test_the_permission_comes_to_the_charges_of_its_own_account_alone(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database)
    for number, account_id in (("c1", "did:ada"), ("c2", "did:grace")):
        proposed = replace(
            sample_charge(clock, charge_id=number, amount=f"{number[1]}0.00"), account_id=account_id
        )
        await ledger.add(proposed, due_at=clock.now() + timedelta(minutes=15))
        await ledger.confirm(number, ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
        lease = await held(ledger.leases, clock)
        refusal = RefusalCode.INSUFFICIENT_SCOPE
        await ledger.move(lease, ChargeState.CONFIRMED, ChargeState.NEEDS_SCOPE, refusal=refusal)
        await ledger.leases.release(lease.claim, None, failed=False)
    async with database.transaction() as connection:
        await permit(connection, ACCOUNT, ADA.key)
    one, other = await ledger.get("c1"), await ledger.get("c2")
    assert one is not None
    assert other is not None
    assert (one.permitted_at, other.permitted_at) == (clock.now(), None)
