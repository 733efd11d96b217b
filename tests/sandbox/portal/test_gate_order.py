"""The order on a charge: login, role, switch, scope, card, cap, rate limit.

The order is that of docs/portal.md, section 9.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

LOGIN_ONLY = "inference:invoke tool:invoke"


async def test_each_gate_refuses_only_after_the_gates_before_it_pass(client: PortalClient) -> None:
    portal, acme = client.portal, client.portal.organizations["acme"]
    card, acme.card = acme.card, None
    assert acme.cap is not None
    acme.cap.spent = acme.cap.limit
    acme.cli_billing_enabled = False
    portal.charge_rate_limit = 0
    client.sign_in("linus", LOGIN_ONLY)
    access, client.access = client.access, ""
    heard = []

    async def ask() -> None:
        heard.append(error_of(await client.charge(50)))

    await ask()
    client.access = access
    await ask()
    portal.people["linus"].role = "ADMIN"
    await ask()
    acme.cli_billing_enabled = True
    await ask()
    client.sign_in("linus")
    await ask()
    acme.card = card
    await ask()
    acme.cap.spent = acme.cap.limit - 50
    await ask()
    portal.charge_rate_limit = None

    assert heard == [
        (401, "unauthorized"),
        (403, "role_required"),
        (403, "cli_billing_disabled"),
        (403, "insufficient_scope"),
        (403, "no_payment_method"),
        (403, "monthly_cap_exceeded"),
        (429, "rate_limited"),
    ]
    assert (await client.charge(50)).status_code == 202
    assert len(portal.charges) == 1


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("ada", 202),
        ("grace", 202),
        ("frida", 202),
        ("linus", 403),
        ("sasha", 403),
        ("hedy", 403),
        ("vera", 403),
    ],
)
async def test_the_capability_overrides_the_role_both_ways(
    client: PortalClient, person: str, status: int
) -> None:
    client.sign_in(person)
    assert (await client.charge()).status_code == status


async def test_the_switch_refusal_has_both_names_of_the_contract(client: PortalClient) -> None:
    client.portal.organizations["acme"].cli_billing_enabled = False
    refusal = exact(await client.charge())
    assert refusal["error"] == "cli_billing_disabled"
    assert refusal["code"] == "remote_spending_disabled"
    assert refusal["portalUrl"] == "/billing"


@pytest.mark.parametrize("actor", ["admin", "self", None])
async def test_revoked_spending_blocks_only_the_money_calls(
    client: PortalClient, actor: str | None
) -> None:
    client.portal.revoke_spending("ada", actor)
    refusal = await client.charge()
    assert error_of(refusal) == (403, "remote_spending_revoked")
    assert exact(refusal).get("actor") == actor
    assert (await client.get("/api/billing/state")).status_code == 200
    client.sign_in()
    assert (await client.charge()).status_code == 202


async def test_the_cap_reports_the_remainder_and_counts_pending_charges(client: PortalClient) -> None:
    cap = client.portal.organizations["acme"].cap
    assert cap is not None
    cap.spent = cap.limit - 60
    assert (await client.charge(50)).status_code == 202
    refusal = await client.charge("10.50")
    assert error_of(refusal) == (403, "monthly_cap_exceeded")
    assert exact(refusal)["remainingUsd"] == "10"
    assert exact(refusal)["isDefaultCeiling"] is True
    assert (await client.charge(10)).status_code == 202


async def test_an_organization_without_a_cap_has_no_monthly_limit(client: PortalClient) -> None:
    client.portal.organizations["acme"].cap = None
    assert (await client.charge(1000)).status_code == 202
    assert (await client.charge(1000)).status_code == 202


async def test_a_limit_of_five_charges_an_hour_is_enforced(client: PortalClient) -> None:
    client.portal.charge_rate_limit = 5
    for _ in range(5):
        assert (await client.charge(5)).status_code == 202
        client.clock.tick(60)
    refusal = await client.charge(5)
    client.sign_in("grace")
    colleague = await client.charge(5)

    assert error_of(refusal) == error_of(colleague) == (429, "rate_limited")
    assert refusal.headers["retry-after"] == str(3600 - 5 * 60)
    client.clock.tick(3600 - 5 * 60)
    client.sign_in("grace")
    assert (await client.charge(5)).status_code == 202


async def test_the_hourly_limit_applies_to_a_token(client: PortalClient) -> None:
    client.portal.charge_rate_limit = 5
    for _ in range(5):
        await client.charge(5)
    client.portal.people["ada"].organization = "globex"
    assert error_of(await client.charge(5)) == (429, "rate_limited")


async def test_a_refused_charge_does_not_count_towards_the_limit(client: PortalClient) -> None:
    client.portal.charge_rate_limit = 1
    for _ in range(3):
        await client.charge(4)
    assert (await client.charge(5)).status_code == 202


async def test_an_unknown_bearer_token_is_refused(client: PortalClient) -> None:
    client.access = client.access[:-1] + ("A" if client.access[-1] != "A" else "B")
    answer = await client.get("/api/billing/state")
    assert error_of(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_polling_needs_the_scope_but_not_the_role_or_the_switch(client: PortalClient) -> None:
    charged = await client.charge()
    client.portal.organizations["acme"].cli_billing_enabled = False
    client.portal.people["ada"].role = "MEMBER"
    assert (await client.poll(charged))["status"] == "pending"
    client.sign_in("ada", LOGIN_ONLY)
    path = f"/api/billing/charge/{exact(charged)['chargeId']}"
    assert error_of(await client.get(path)) == (403, "insufficient_scope")
