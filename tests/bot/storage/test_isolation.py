"""What confirming and connecting promise holds under every default isolation of a database."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.domain.rules import RuleError, Rules
from bot.storage.cipher import Cipher, generate_key
from bot.storage.deliveries import DeliveryStore
from bot.storage.device_grants import DeviceGrantStore
from tests.support.ledger import LONG_AGO, Ledger
from tests.support.samples import ADA, sample_charge, sample_grant

if TYPE_CHECKING:
    from bot.domain.charge import Charge
    from bot.storage.database import Database
    from tests.bot.conftest import HandClock


async def at_once(database: Database, clock: HandClock, charges: list[Charge]) -> list[Any]:
    """Confirm all of them at the same moment, with a limit of $100 a day."""
    store = Ledger(database)
    for charge in charges:
        await store.add(charge, due_at=clock.now())
    rules = Rules(max_daily=Decimal(100))
    return await asyncio.gather(
        *(
            store.confirm(
                charge.id,
                ADA,
                now=clock.now(),
                made_after=LONG_AGO,
                view_id=None,
                since=LONG_AGO,
                check_limits=rules.require,
            )
            for charge in charges
        ),
        return_exceptions=True,
    )


async def test_confirmations_at_once_cannot_pass_the_day(database: Database, clock: HandClock) -> None:
    charges = [sample_charge(clock, charge_id=f"c{n}", amount=f"60.0{n}") for n in range(6)]
    ended = await at_once(database, clock, charges)
    assert sorted(type(each).__name__ for each in ended) == ["Charge", *["RuleError"] * 5]


async def test_equal_confirmations_at_once_are_one_and_the_others_ask(
    database: Database, clock: HandClock
) -> None:
    charges = [sample_charge(clock, charge_id=f"c{n}", amount="10") for n in range(6)]
    ended = await at_once(database, clock, charges)
    assert not any(isinstance(each, RuleError) for each in ended)
    assert sorted(type(each).__name__ for each in ended) == ["Charge", *["NoneType"] * 5]


async def test_attempts_to_connect_at_once_leave_one(database: Database, clock: HandClock) -> None:
    cipher = Cipher((generate_key(),))
    store = DeviceGrantStore(database, cipher, DeliveryStore(database, cipher))
    grants = [sample_grant(clock, id=f"g{n}") for n in range(6)]
    await asyncio.gather(*(store.start(grant, due_at=clock.now()) for grant in grants))
    assert len(await store.going_on(ADA)) == 1


async def test_every_transaction_and_statement_runs_at_read_committed(database: Database) -> None:
    if database.is_embedded:
        pytest.skip("SQLite has one writer at a time and one isolation")
    assert await database.backend.isolation() == "READ COMMITTED"
