"""Somebody who can write to the database, and has no key, makes no charge and ends no lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from bot.domain.charge import ChargeState
from bot.domain.rules import Lock
from bot.sandbox.portal import Fault
from bot.storage.cipher import Cipher, generate_key
from bot.storage.database import Database
from bot.storage.locks import LockStore
from bot.storage.signatures import sign_again
from bot.storage.tables import audit, charges, deliveries, locks
from bot.system_clock import SystemClock
from tests.support.house import ADA, GRACE, House
from tests.support.steps import keys_sent

if TYPE_CHECKING:
    from sqlalchemy import Executable

NOT_CONFIRMED = "This app's record of it is not what you confirmed"


async def write(house: House, *statements: Executable) -> None:
    async with house.app.runtime.database.transaction() as transaction:
        for statement in statements:
            await transaction.execute(statement)


async def row_of(house: House, charge_id: str) -> dict[str, Any]:
    async with house.app.runtime.database.read() as connection:
        row = (await connection.execute(select(charges).where(charges.c.id == charge_id))).one()
    return {column.key: getattr(row, column.key) for column in charges.c}


async def confirmed_without_a_worker(house: House, amount: str = "50") -> str:
    house.worker = False
    await house.restart()
    await house.link()
    await house.slack.command(ADA, f"/billing buy {amount}")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.state(ChargeState.CONFIRMED)
    house.worker = True
    return (await house.charges())[0].id


async def test_a_confirmed_amount_that_was_changed_is_not_charged_and_others_go_on(house: House) -> None:
    charge_id = await confirmed_without_a_worker(house)
    await write(house, update(charges).where(charges.c.id == charge_id).values(amount=Decimal(500)))
    await house.restart()
    await house.told(NOT_CONFIRMED)
    assert keys_sent(house) == []
    await house.slack.close(ADA, everything=True)
    await house.buy("20")
    await house.told("$20 added to your balance")
    assert house.app.runtime.metrics.unverified._value.get() == 1


async def test_an_inserted_purchase_is_not_charged(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.until_async(lambda: _rests(house))
    row = await row_of(house, (await house.charges())[0].id)
    copied = {
        "id": "ffffffffffffffff",
        "idempotency_key": "another",
        "state": ChargeState.CONFIRMED.value,
        "portal_charge_id": None,
        "ended_at": None,
        "settled_amount": None,
        "due_at": house.app.runtime.clock.now(),
    }
    sent = len(keys_sent(house))
    await write(house, insert(charges).values(**row | copied))
    house.app.engine.wake("charge")
    await house.until_async(lambda: _is(house, "ffffffffffffffff", ChargeState.REFUSED))
    assert len(keys_sent(house)) == sent
    verified = await house.app.runtime.audit.verify()
    assert verified.unknown == ("ffffffffffffffff",)


async def _is(house: House, charge_id: str, state: ChargeState) -> bool:
    return bool((await row_of(house, charge_id))["state"] == state.value)


async def _rests(house: House) -> bool:
    async with house.app.runtime.database.read() as connection:
        rows = (await connection.execute(select(deliveries.c.due_at))).scalars().all()
    return rows == [None]


async def test_a_changed_purchase_that_may_have_been_sent_becomes_unconfirmed(house: House) -> None:
    house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
    await house.link()
    await house.buy("50")
    await house.unanswered()
    charge_id = (await house.charges())[0].id
    await house.stop()
    database = Database(house.settings.database_url, SystemClock())
    changed = update(charges).where(charges.c.id == charge_id).values(amount=Decimal(500))
    async with database.transaction() as transaction:
        await transaction.execute(changed)
    await database.aclose()
    sent = len(keys_sent(house))
    await house.start()
    await house.told("may or may not have been charged")
    assert len(keys_sent(house)) == sent


async def test_a_deleted_lock_and_a_forged_unlock_release_nothing(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.slack.command(GRACE, "/billing lock Audit week")
    await house.until(lambda: "Spending is paused" in house.last_ephemeral(GRACE)["text"])
    async with house.app.runtime.database.read() as connection:
        entry = (await connection.execute(select(audit).where(audit.c.action == "lock"))).one()
    forged = {
        "at": house.app.runtime.clock.now(),
        "actor": entry.actor,
        "action": "unlock",
        "subject": entry.subject,
        "result": "unlocked",
        "origin": entry.origin,
        "facts": '{"signature": "0"}',
    }
    await write(house, delete(locks), insert(audit).values(**forged))
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "Spending from Slack is paused" in house.modal().text)
    await house.slack.command(GRACE, "/billing unlock")
    await house.until(lambda: "Spending resumed" in house.last_ephemeral(GRACE)["text"])
    await house.slack.close(ADA, everything=True)
    await house.buy("50")
    await house.told("$50 added to your balance")


async def test_an_unlock_from_before_the_lock_cannot_be_used_again(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    for command in ("lock Audit", "unlock", "lock Audit"):
        seen = len(house.slack.ephemerals(GRACE))
        await house.slack.command(GRACE, f"/billing {command}")
        await house.until(partial(_is_answered, house, seen))
    async with house.app.runtime.database.read() as connection:
        entry = (await connection.execute(select(audit).where(audit.c.action == "unlock"))).one()
    again = {column.name: getattr(entry, column.name) for column in audit.c if column.name != "id"}
    await write(house, delete(locks), insert(audit).values(**again))
    assert await house.app.runtime.permission.stopped(house.identity()) is not None


def _is_answered(house: House, seen: int) -> bool:
    return len(house.slack.ephemerals(GRACE)) > seen


async def test_a_new_key_signs_nothing_that_was_changed(house: House) -> None:
    charge_id = await confirmed_without_a_worker(house)
    old = house.app.runtime.settings.keys()
    new = Cipher((generate_key(), *old))
    assert await sign_again(house.app.runtime.database, new) == 0
    charge = (await house.charges())[0]
    assert new.is_signed(charge.confirmation_signature, *charge.confirmation)
    assert not new.is_signed(charge.offer_signature, *replace(charge, amount=Decimal(500)).offer)
    await write(house, update(charges).where(charges.c.id == charge_id).values(account_id="did:other"))
    assert await sign_again(house.app.runtime.database, new) == 1


async def test_what_was_unlocked_stays_unlocked_when_the_old_key_goes(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    for command in ("lock Audit", "unlock"):
        seen = len(house.slack.ephemerals(GRACE))
        await house.slack.command(GRACE, f"/billing {command}")
        await house.until(partial(_is_answered, house, seen))
    database, old, new = house.app.runtime.database, house.app.runtime.settings.keys(), generate_key()
    await sign_again(database, Cipher((new, *old)))
    assert await LockStore(database, Cipher((new,))).get(house.identity().tenant) is None


async def test_an_unlock_by_a_process_whose_clock_is_behind_is_one(house: House) -> None:
    runtime = house.app.runtime
    locks_ = LockStore(runtime.database, Cipher(runtime.settings.keys()))
    ahead = runtime.clock.now() + timedelta(seconds=2)
    await locks_.put(Lock(locked_by=house.identity(GRACE), locked_at=ahead, reason=None))
    assert await locks_.remove(house.identity(GRACE)) is not None
    assert await locks_.get(house.identity().tenant) is None
