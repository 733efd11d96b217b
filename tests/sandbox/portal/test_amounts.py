"""Amounts of the answers: decimals, exponents and sizes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.portal import PortalSandbox
from tests.sandbox.portal.client import exact
from tests.sandbox.portal.contract import (
    PUBLISHED,
    READS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.portal.client import PortalClient

PEOPLE = sorted(PortalSandbox().people)


SUMS = frozenset(
    {
        "balanceUsd",
        "spentThisMonthUsd",
        "creditsRemaining",
        "credits_remaining",
        "rollover_credits",
        "subscription_credits_remaining",
        "purchased_credits_remaining",
        "total_usable_credits",
        "member_spend_usd",
        "member_spend_cap_remaining_usd",
        "remainingUsd",
    }
)
"""The fields whose amounts come from usage."""


@pytest.mark.parametrize("person", [person for person in PEOPLE if person not in PUBLISHED])
@pytest.mark.parametrize("path", READS)
async def test_every_usage_amount_has_at_least_six_decimals(
    client: PortalClient, person: str, path: str
) -> None:
    client.sign_in(person)
    answer = exact(await client.get(path))
    short = [(name, amount) for name, amount in amounts_of_use(answer) if not has_long_tail(amount)]
    assert short == []


async def test_the_remaining_monthly_cap_has_six_decimals(client: PortalClient) -> None:
    refusal = exact(await client.charge(1000))
    assert refusal["error"] == "monthly_cap_exceeded"
    assert all(has_long_tail(amount) for _, amount in amounts_of_use(refusal))


def amounts_of_use(value: object) -> Iterator[tuple[str, Any]]:
    """Yield the fields of `SUMS` anywhere in the answer, except null and zero."""
    if isinstance(value, list):
        for item in value:
            yield from amounts_of_use(item)
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in SUMS:
                yield from amounts_of_use(item)
            elif item is not None and Decimal(item) != 0:
                yield name, item


def has_long_tail(amount: str | int | Decimal) -> bool:
    """Return whether the amount has six decimals or an exponent."""
    exponent = Decimal(amount).as_tuple().exponent
    return isinstance(exponent, int) and (exponent <= -6 or exponent > 0)


async def test_extreme_texts_and_amounts_are_sent_unchanged(client: PortalClient) -> None:
    client.sign_in("xena")
    answer = await client.get("/api/billing/state")
    state = exact(answer)
    assert len(state["org"]["name"]) == 2940
    assert {"\x00", "\u202e", "\ud800", "🧪"} <= set(state["org"]["name"])
    assert r"\ud800" in answer.text
    assert state["balanceUsd"] == state["monthlyCap"]["limitUsd"] == "1e+25"
    assert state["bounds"]["maxUsd"] == "9" * 20
    assert state["autoReload"]["thresholdUsd"] == state["autoReload"]["reloadToUsd"] == "9" * 30


async def test_an_extreme_charge_is_exact_and_has_a_long_id(client: PortalClient) -> None:
    client.sign_in("xena")
    charged = await client.charge("99999999999999999998.99")
    assert len(exact(charged)["chargeId"]) == 303
    client.clock.tick(3)
    assert (await client.poll(charged))["amountUsd"] == "99999999999999999998.99"
    assert (await client.state())["balanceUsd"] == "10000099999999999999999998.99"


async def test_money_of_the_billing_calls_can_be_json_numbers(client: PortalClient) -> None:
    client.sign_in("wanda")
    state = await client.state()
    assert state["balanceUsd"] == Decimal("26.359848035936")
    assert state["chargePresets"] == [25, 50, 100]
