"""All rules are asked once more just before a request for money leaves."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.domain.charge import Charge, ChargeState
from bot.domain.errors import StoreUnavailableError
from bot.portal.transport import CONCURRENT_REQUESTS
from tests.support.house import ADA, GRACE, House
from tests.support.steps import answered, money_requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def confirmed_and_not_sent(house: House) -> AsyncIterator[None]:
    """Buy, and keep every request to the portal waiting for a free connection until the block ends."""
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    house.portal.expire_access_tokens()
    places = house.app.runtime.accounts._transport._places
    for _ in range(CONCURRENT_REQUESTS):
        await places.acquire()
    await house.slack.submit(ADA)
    await house.state(ChargeState.CONFIRMED)
    yield
    for _ in range(CONCURRENT_REQUESTS):
        places.release()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"users": (GRACE,)}, "no longer allows this purchase"),
        ({"max_charge": Decimal(49)}, "no longer allows this purchase"),
        ({"max_daily": Decimal(49)}, "no longer allows this purchase"),
        ({"read_only": True}, "was paused before this was sent"),
    ],
)
async def test_a_rule_that_came_after_the_confirmation_stops_the_request(
    house: House, rules: dict[str, Any], words: str
) -> None:
    async with confirmed_and_not_sent(house):
        house.app.runtime.permission.rules = replace(house.app.runtime.permission.rules, **rules)
    await house.told(words)
    assert money_requests(house) == 0


async def test_a_lock_while_a_request_waits_for_a_free_connection_stops_it(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    async with confirmed_and_not_sent(house):
        await house.slack.command(GRACE, "/billing lock Audit week")
        await answered(house, "Spending is paused", GRACE)
    await house.told("paused spending from Slack before this was sent")
    assert money_requests(house) == 0


async def test_a_database_that_is_away_just_before_the_request_makes_no_unclear_charge(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    permission, asked = house.app.runtime.permission, 0
    require = permission.require_sending

    async def away_at_first(charge: Charge) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StoreUnavailableError("locked")
        house.portal.set_scenario("acme", "no-card")
        await require(charge)

    monkeypatch.setattr(permission, "require_sending", away_at_first)
    await house.slack.submit(ADA)
    await house.told("was not charged")
    assert (await house.charges())[0].state is ChargeState.REFUSED
