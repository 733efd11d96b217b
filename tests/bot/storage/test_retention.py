"""What is forgotten, and what stays."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text, update

from bot.domain.charge import ChargeState
from bot.domain.request import RequestState
from bot.services.retention import Retention
from bot.storage.audit import AuditStore
from bot.storage.away import AwayStore
from bot.storage.charges.purge import ChargePurge
from bot.storage.charges.rows import charge_of
from bot.storage.cipher import Cipher, generate_key
from bot.storage.ended_work import EndedWork
from bot.storage.overviews import OverviewStore
from bot.storage.pending_confirmations import PendingConfirmations
from bot.storage.requests.purge import RequestPurge
from bot.storage.requests.store import message_for
from bot.storage.tables import charges, deliveries, device_grants, requests
from bot.storage.watches import WatchStore
from tests.support.ledger import LONG_AGO, Ledger, request_store
from tests.support.samples import ADA, REQUEST, sample_charge

if TYPE_CHECKING:
    from bot.domain.charge import Charge
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock

PERSONAL = ("U0ADA", "T0ACME", "4242", "did:ada", "org_acme", "Acme Research", "D0ADA")


def retention(database: Database, clock: HandClock, days: int | None) -> Retention:
    cipher = Cipher((generate_key(),))
    return Retention(
        ChargePurge(database),
        RequestPurge(database),
        AwayStore(database),
        WatchStore(database, days=35),
        EndedWork(database),
        PendingConfirmations(database),
        OverviewStore(database, cipher),
        clock,
        days,
    )


async def ended(database: Database, clock: HandClock, charge_id: str, *, going_on: bool = False) -> None:
    """A settled charge with its message, as the ledger has them in the end."""
    ledger = Ledger(database)
    await ledger.add(sample_charge(clock, charge_id=charge_id), due_at=clock.now())
    await ledger.confirm(charge_id, ADA, now=clock.now(), made_after=LONG_AGO, view_id=None)
    async with database.transaction() as connection:
        due_at = clock.now() if going_on else None
        await connection.execute(
            update(charges)
            .where(charges.c.id == charge_id)
            .values(state=ChargeState.SETTLED.value, due_at=due_at, refusal_detail="by U0ADA")
        )
        await connection.execute(
            update(deliveries).where(deliveries.c.id == charge_id).values(channel="D0ADA", due_at=due_at)
        )


async def everything(database: Database) -> str:
    async with database.transaction() as connection:
        rows = [*await connection.execute(select(charges)), *await connection.execute(select(deliveries))]
    return str(rows)


async def test_an_old_charge_keeps_its_money_and_loses_its_person(
    database: Database, clock: HandClock
) -> None:
    await ended(database, clock, "c1")
    before = await Ledger(database).get("c1")
    clock.advance(days=31)
    assert await retention(database, clock, 30).forget() == 1
    told = await everything(database)
    assert not [word for word in PERSONAL if word in told]
    assert before is not None
    after = await forgotten_charge(database)
    # No id of the row stands beside the person in the audit log.
    assert after.id != before.id
    assert after.idempotency_key != before.idempotency_key
    assert (await AuditStore(database).verify()).unknown == ()
    forgotten = {
        "identity",
        "account_id",
        "account_email",
        "organization_id",
        "organization_name",
        "payment_method",
    }
    forgotten |= {
        "id",
        "idempotency_key",
        "portal_charge_id",
        "refusal_detail",
        "portal_url",
        "offer_signature",
        "confirmation_signature",
    }
    for field in {field.name for field in fields(before)} - forgotten:
        assert getattr(after, field) == getattr(before, field), field


async def forgotten_charge(database: Database) -> Charge:
    async with database.read() as connection:
        row = (await connection.execute(select(charges))).one()
    return charge_of(row)


async def test_proposals_that_were_never_confirmed_go_after_a_day(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database)
    for charge_id, state in (("expired", "expired"), ("cancelled", "cancelled"), ("open", "proposed")):
        await ledger.add(sample_charge(clock, charge_id=charge_id), due_at=clock.now())
        async with database.transaction() as transaction:
            changed = update(charges).where(charges.c.id == charge_id)
            due_at = clock.now() if state == "proposed" else None
            await transaction.execute(changed.values(state=state, due_at=due_at))
    await ended(database, clock, "paid")
    clock.advance(hours=25)
    await retention(database, clock, None).forget()
    async with database.read() as connection:
        left = (await connection.execute(select(charges.c.id).order_by(charges.c.id))).scalars().all()
    assert left == ["open", "paid"]


async def test_young_and_open_charges_are_kept(database: Database, clock: HandClock) -> None:
    await ended(database, clock, "goes-on", going_on=True)
    clock.advance(days=2)
    await ended(database, clock, "young")
    clock.advance(days=29)
    assert await retention(database, clock, 30).forget() == 0


async def test_charges_are_kept_without_the_setting(database: Database, clock: HandClock) -> None:
    await ended(database, clock, "c1")
    clock.advance(days=4000)
    assert await retention(database, clock, None).forget() == 0


async def test_more_than_one_batch_is_forgotten_and_logged(database: Database, clock: HandClock) -> None:
    values = {"state": "settled", "due_at": None, "owner": ADA.key}
    async with database.transaction() as connection:
        for number in range(450):
            await connection.execute(
                insert(charges).values(**_row(sample_charge(clock), str(number)) | values)
            )
    clock.advance(days=31)
    assert await retention(database, clock, 30).forget() == 450
    assert await retention(database, clock, 30).forget() == 0
    audit = AuditStore(database)
    await audit.seal()
    entries = [seal.entry async for seal in audit.sealed()]
    assert {entry.action for entry in entries} == {"purge"}
    assert [entry.details["count"] for entry in entries] == ["200", "200", "50"]


def _row(made: Charge, charge_id: str) -> dict[str, object]:
    return {
        **{field.name: getattr(made, field.name) for field in fields(made) if field.name != "identity"},
        "id": charge_id,
        "idempotency_key": charge_id,
        "payment_method": made.payment_method and made.payment_method.to_text(),
        "kind": made.kind.value,
        "enterprise": "",
        "team": made.identity.team,
        "user": made.identity.user,
    }


async def test_decided_device_grants_go_after_a_week(database: Database, clock: HandClock) -> None:
    async with database.transaction() as connection:
        for grant_id, state, due_at in (
            ("old", "linked", None),
            ("untold", "denied", clock.now()),
            ("going-on", "pending", clock.now()),
        ):
            await connection.execute(
                insert(device_grants).values(
                    id=grant_id,
                    state=state,
                    due_at=due_at,
                    enterprise="",
                    team="T0ACME",
                    user="U0ADA",
                    owner=ADA.key,
                    base_url="",
                    asked_scope="",
                    interval_seconds=5,
                    expires_at=clock.now(),
                    created_at=clock.now(),
                )
            )
    clock.advance(days=8)
    await retention(database, clock, None).forget()
    async with database.transaction() as connection:
        left = (await connection.execute(text("SELECT id FROM device_grants ORDER BY id"))).scalars().all()
    assert left == ["going-on", "untold"]


@pytest.mark.parametrize(("state", "stays"), [(RequestState.DENIED, False), (RequestState.OPEN, True)])
async def test_an_ended_request_goes_with_what_was_written_and_an_open_one_stays(
    database: Database, clock: HandClock, state: RequestState, stays: bool
) -> None:
    store = request_store(database)
    asked = replace(REQUEST, asked_at=clock.now(), expires_at=clock.now() + timedelta(days=3))
    await store.file(asked, [message_for(asked.id, asked.requester, clock.now())])
    async with database.transaction() as transaction:
        done = {"state": state.value, "due_at": None}
        await transaction.execute(update(requests).values(**done))
        await transaction.execute(update(deliveries).values(due_at=None))
    clock.advance(days=31)
    await retention(database, clock, 30).forget()
    assert (await store.get(asked.id) is not None) is stays
    async with database.read() as connection:
        assert bool((await connection.execute(select(deliveries))).all()) is stays
