"""Each default answer has the contract's fields, for every person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import SCENARIOS, PortalSandbox
from tests.sandbox.portal.client import exact
from tests.sandbox.portal.contract import (
    ACCOUNT,
    CHANGES,
    CHARGE_STATUS,
    DEVICE_CODE,
    REFUSAL,
    STATE,
    SUBSCRIPTION,
    TIER,
    TOKENS,
    TORN_TIER,
)
from tests.sandbox.portal.shape import (
    mismatches,
)

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

PEOPLE = sorted(PortalSandbox().people)


MEMBERS = sorted(key for key, each in PortalSandbox().people.items() if each.organization)


REFUSING: tuple[tuple[str, str], ...] = (
    *((row.name, row.gate.error) for row in SCENARIOS.values() if row.gate),
    ("no-card", "no_payment_method"),
    ("switch-off", "cli_billing_disabled"),
    ("cap-exceeded", "monthly_cap_exceeded"),
    ("rate-limited", "rate_limited"),
    ("temporarily-unavailable", "temporarily_unavailable"),
    ("stripe-unavailable", "stripe_unavailable"),
)
"""The refusing scenarios and their error codes."""


REFUSED_CALLS: dict[str, tuple[str, str, object]] = {
    "upgrade_cap_exceeded": (
        "POST",
        "/api/billing/subscription/upgrade",
        {"subscriptionTypeId": "super"},
    ),
    "auto_top_up_disabled_failures": (
        "PATCH",
        "/api/billing/auto-top-up",
        {"enabled": True, "threshold": 20, "topUpAmount": 100},
    ),
}
"""The refused call of an error, when the call is not a charge."""


@pytest.mark.parametrize("person", PEOPLE)
async def test_the_account_answer_has_the_contracts_fields(client: PortalClient, person: str) -> None:
    client.sign_in(person)
    assert mismatches(exact(await client.get("/api/oauth/account")), ACCOUNT) == []


@pytest.mark.parametrize("person", MEMBERS)
async def test_the_overview_has_the_contracts_fields(client: PortalClient, person: str) -> None:
    client.sign_in(person)
    assert mismatches(await client.state(), STATE) == []


@pytest.mark.parametrize("person", MEMBERS)
async def test_the_subscription_answer_has_the_contracts_fields(client: PortalClient, person: str) -> None:
    client.sign_in(person)
    tier = TORN_TIER if person == "tove" else TIER
    answer = exact(await client.get("/api/billing/subscription"))
    assert mismatches(answer, {**SUBSCRIPTION, "tiers": [tier]}) == []


@pytest.mark.parametrize("person", ["ada", "wanda"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda row: f"{row[0]} {row[1]}")
async def test_the_answer_to_a_change_has_the_contracts_fields(
    client: PortalClient, person: str, change: tuple[str, str, object, int, dict[str, object]]
) -> None:
    method, path, body, status, shape = change
    client.sign_in(person)
    if method == "DELETE":
        await client.send("PUT", path, {"type": "cancellation"})
    answer = await client.send(method, path, body, "key")
    assert answer.status_code == status
    assert mismatches(exact(answer), shape) == []


@pytest.mark.parametrize("amount", ["50", "10.01", "10.06"])
async def test_a_charges_status_has_the_contracts_fields(client: PortalClient, amount: str) -> None:
    charged = await client.charge(amount)
    assert mismatches(await client.poll(charged), CHARGE_STATUS) == []
    client.clock.tick(3)
    assert mismatches(await client.poll(charged), CHARGE_STATUS) == []


@pytest.mark.parametrize(("scenario", "error"), REFUSING)
async def test_a_refusal_has_the_contracts_fields(client: PortalClient, scenario: str, error: str) -> None:
    client.portal.set_scenario("acme", scenario)
    charge = ("POST", "/api/billing/charge", {"amountUsd": 25})
    method, path, body = REFUSED_CALLS.get(error, charge)
    refusal = exact(await client.send(method, path, body, "key"))
    assert refusal["error"] == error
    assert mismatches(refusal, REFUSAL) == []
    assert refusal["portalUrl"].startswith("/billing")


async def test_device_codes_and_tokens_have_the_contracts_fields(client: PortalClient) -> None:
    started = await client.ask_for_code()
    client.portal.approve(started["user_code"])
    granted = exact(await client.redeem(started["device_code"]))
    assert mismatches(started, DEVICE_CODE) == []
    assert mismatches(granted, TOKENS) == []
    assert mismatches(exact(await client.renew(granted["refresh_token"])), TOKENS) == []
