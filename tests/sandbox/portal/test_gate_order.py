"""The contract's order on a charge: login, role, kill-switch, scope, card, cap, rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.portal.desk import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.desk import Desk

LOGIN_ONLY = "inference:invoke tool:invoke"


async def test_every_gate_speaks_only_after_the_ones_before_it_are_open(desk: Desk) -> None:
    portal, acme = desk.portal, desk.portal.organisations["acme"]
    card, acme.card = acme.card, None
    assert acme.cap is not None
    acme.cap.spent = acme.cap.limit
    acme.cli_billing_enabled = False
    portal.charge_rate_limit = 0
    desk.sign_in("linus", LOGIN_ONLY)
    access, desk.access = desk.access, ""
    heard = []

    async def ask() -> None:
        heard.append(error_of(await desk.charge(50)))

    await ask()
    desk.access = access
    await ask()
    portal.people["linus"].role = "ADMIN"
    await ask()
    acme.cli_billing_enabled = True
    await ask()
    desk.sign_in("linus")
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
    assert (await desk.charge(50)).status_code == 202
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
async def test_the_capability_overrides_the_role_both_ways(desk: Desk, person: str, status: int) -> None:
    desk.sign_in(person)
    assert (await desk.charge()).status_code == status


async def test_the_switch_is_named_in_both_ways_the_contract_knows(desk: Desk) -> None:
    desk.portal.organisations["acme"].cli_billing_enabled = False
    refusal = exact(await desk.charge())
    assert refusal["error"] == "cli_billing_disabled"
    assert refusal["code"] == "remote_spending_disabled"
    assert refusal["portalUrl"] == "/billing"


@pytest.mark.parametrize("actor", ["admin", "self", None])
async def test_revoked_spending_cuts_the_money_calls_only(desk: Desk, actor: str | None) -> None:
    desk.portal.revoke_spending("ada", actor)
    refusal = await desk.charge()
    assert error_of(refusal) == (403, "remote_spending_revoked")
    assert exact(refusal).get("actor") == actor
    assert (await desk.get("/api/billing/state")).status_code == 200
    desk.sign_in()
    assert (await desk.charge()).status_code == 202


async def test_the_cap_tells_what_is_left_and_counts_money_under_way(desk: Desk) -> None:
    cap = desk.portal.organisations["acme"].cap
    assert cap is not None
    cap.spent = cap.limit - 60
    assert (await desk.charge(50)).status_code == 202
    refusal = await desk.charge("10.50")
    assert error_of(refusal) == (403, "monthly_cap_exceeded")
    assert exact(refusal)["remainingUsd"] == "10"
    assert exact(refusal)["isDefaultCeiling"] is True
    assert (await desk.charge(10)).status_code == 202


async def test_without_a_cap_nothing_is_too_much_for_the_month(desk: Desk) -> None:
    desk.portal.organisations["acme"].cap = None
    assert (await desk.charge(1000)).status_code == 202
    assert (await desk.charge(1000)).status_code == 202


async def test_five_charges_an_hour_is_the_true_limit(desk: Desk) -> None:
    desk.portal.charge_rate_limit = 5
    for _ in range(5):
        assert (await desk.charge(5)).status_code == 202
        desk.clock.tick(60)
    refusal = await desk.charge(5)
    desk.sign_in("grace")
    colleague = await desk.charge(5)

    assert error_of(refusal) == error_of(colleague) == (429, "rate_limited")
    assert refusal.headers["retry-after"] == str(3600 - 5 * 60)
    desk.clock.tick(3600 - 5 * 60)
    desk.sign_in("grace")
    assert (await desk.charge(5)).status_code == 202


async def test_five_charges_an_hour_hold_for_a_token_too(desk: Desk) -> None:
    desk.portal.charge_rate_limit = 5
    for _ in range(5):
        await desk.charge(5)
    desk.portal.people["ada"].organisation = "globex"
    assert error_of(await desk.charge(5)) == (429, "rate_limited")


async def test_a_refused_charge_does_not_count_towards_the_limit(desk: Desk) -> None:
    desk.portal.charge_rate_limit = 1
    for _ in range(3):
        await desk.charge(4)
    assert (await desk.charge(5)).status_code == 202


async def test_a_bearer_token_must_be_one_that_the_portal_gave_out(desk: Desk) -> None:
    desk.access = desk.access[:-1] + ("A" if desk.access[-1] != "A" else "B")
    answer = await desk.get("/api/billing/state")
    assert error_of(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_polling_needs_the_scope_but_not_the_role_or_the_switch(desk: Desk) -> None:
    charged = await desk.charge()
    desk.portal.organisations["acme"].cli_billing_enabled = False
    desk.portal.people["ada"].role = "MEMBER"
    assert (await desk.poll(charged))["status"] == "pending"
    desk.sign_in("ada", LOGIN_ONLY)
    path = f"/api/billing/charge/{exact(charged)['chargeId']}"
    assert error_of(await desk.get(path)) == (403, "insufficient_scope")
