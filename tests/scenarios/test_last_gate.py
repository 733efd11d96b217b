"""All rules are asked once more just before a request for money leaves."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.charge import Charge, ChargeState
from bot.domain.errors import StoreUnavailableError
from bot.portal.transport import CONCURRENT_REQUESTS
from bot.sandbox.portal import Fault
from tests.support.house import ADA, GRACE, House
from tests.support.steps import answered, money_requests


async def slow_token_then(house: House, **rules: Any) -> None:
    """Buy with a token that must be refreshed, which takes a while; the rules change meanwhile."""
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    house.portal.expire_access_tokens()
    house.portal.fail("/api/oauth/token", Fault(seconds=0.6), times=1)
    await house.slack.submit(ADA)
    await house.state(ChargeState.CONFIRMED)
    house.app.runtime.permission.rules = replace(house.app.runtime.permission.rules, **rules)


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
    await slow_token_then(house, **rules)
    await house.told(words)
    assert money_requests(house) == 0


async def test_a_lock_while_a_request_waits_for_a_free_connection_stops_it(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    places = house.app.runtime.accounts._transport._places
    for _ in range(CONCURRENT_REQUESTS):
        await places.acquire()
    await house.slack.submit(ADA)
    await house.state(ChargeState.CONFIRMED)
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    for _ in range(CONCURRENT_REQUESTS):
        places.release()
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
