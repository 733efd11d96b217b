from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.portal.client import error_of, exact

if TYPE_CHECKING:
    from tests.sandbox.portal.client import PortalClient

BASE = "/api/billing/subscription"
NEXT_MONTH = "2026-10-01T00:00:00.000Z"


async def plan(client: PortalClient) -> dict[str, Any]:
    return exact(await client.get(BASE))


async def upgrade(client: PortalClient, tier: str, key: str = "k") -> httpx.Response:
    return await client.send("POST", f"{BASE}/upgrade", {"subscriptionTypeId": tier}, key)


async def schedule(client: PortalClient, body: dict[str, str]) -> httpx.Response:
    return await client.send("PUT", f"{BASE}/pending-change", body)


async def test_the_subscription_equals_the_contracts_example(client: PortalClient) -> None:
    shown = await plan(client)
    assert shown["org"] == {"id": "org_acme", "name": "Acme Research", "role": "OWNER"}
    assert shown["context"] == "personal"
    assert shown["current"] == {
        "tierId": "plus",
        "tierName": "Plus",
        "monthlyCredits": "22",
        "creditsRemaining": "13.199784210017",
        "cycleEndsAt": NEXT_MONTH,
        "cancelAtPeriodEnd": False,
    }
    assert shown["tiers"][1] == {
        "tierId": "plus",
        "name": "Plus",
        "tierOrder": 1,
        "dollarsPerMonthDisplay": "20",
        "monthlyCredits": "22",
        "isCurrent": True,
        "isEnabled": True,
    }
    assert [tier["tierId"] for tier in shown["tiers"] if not tier["isEnabled"]] == ["founders"]


async def test_a_team_may_have_a_plan_plans_and_the_capability(client: PortalClient) -> None:
    client.sign_in("theo")
    team = await plan(client)
    assert (team["context"], team["current"]["tierName"]) == ("team", "Super")
    assert (len(team["tiers"]), team["canChangePlan"]) == (5, True)


async def test_a_team_cannot_change_its_plan(client: PortalClient) -> None:
    client.sign_in("theo")
    preview = await client.send("POST", f"{BASE}/preview", {"subscriptionTypeId": "ultra"})
    assert exact(preview)["effect"] == "blocked"
    refused = (400, "subscription_mutation_rejected")
    assert error_of(await schedule(client, {"type": "cancellation"})) == refused
    assert error_of(await upgrade(client, "ultra")) == refused


async def test_a_person_on_the_free_plan_has_no_current_plan(client: PortalClient) -> None:
    client.sign_in("mara")
    free = await plan(client)
    assert (free["context"], free["current"]) == ("personal", None)
    assert [tier["name"] for tier in free["tiers"] if tier["isCurrent"]] == ["Free"]


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("super", {"effect": "charge_now", "monthlyCreditsDelta": "88", "amountDueNowCents": 8000}),
        (
            "free",
            {"effect": "scheduled", "monthlyCreditsDelta": "-22", "effectiveAt": NEXT_MONTH},
        ),
        ("plus", {"effect": "no_op", "monthlyCreditsDelta": "0"}),
        (
            "founders",
            {
                "effect": "blocked",
                "monthlyCreditsDelta": "8",
                "reason": "Founders is no longer offered.",
            },
        ),
    ],
)
async def test_a_preview_reports_the_effect_of_a_change(
    client: PortalClient, tier: str, expected: dict[str, Any]
) -> None:
    answer = exact(await client.send("POST", f"{BASE}/preview", {"subscriptionTypeId": tier}))
    names = {"currentTierId", "currentTierName", "targetTierId", "targetTierName"}
    assert {name: value for name, value in answer.items() if name not in names} == expected
    assert (answer["currentTierId"], answer["targetTierId"]) == ("plus", tier)


async def test_a_preview_of_an_unknown_plan_is_rejected(client: PortalClient) -> None:
    answer = await client.send("POST", f"{BASE}/preview", {"subscriptionTypeId": "gold"})
    assert error_of(answer) == (400, "preview_rejected")


async def test_a_downgrade_waits_for_the_end_of_the_cycle_and_can_be_undone(client: PortalClient) -> None:
    client.portal.organizations["acme"].subscription.tier = "super"  # type: ignore[union-attr]
    body = {"type": "tier_change", "subscriptionTypeId": "plus"}
    assert exact(await schedule(client, body)) == {
        "rail": "stripe",
        "changeType": "downgrade",
        "targetTierName": "Plus",
        "cancelAtPeriodEnd": False,
        "effectiveAt": NEXT_MONTH,
        "message": "Your plan changes to Plus with the next billing period.",
    }
    current = (await plan(client))["current"]
    assert current["pendingDowngradeTierName"] == "Plus"
    assert current["pendingDowngradeAt"] == NEXT_MONTH

    undone = await client.send("DELETE", f"{BASE}/pending-change")

    assert exact(undone) == {
        "rail": "stripe",
        "cancelAtPeriodEnd": False,
        "message": "You keep Super.",
    }
    assert "pendingDowngradeTierName" not in (await plan(client))["current"]
    nothing = await client.send("DELETE", f"{BASE}/pending-change")
    assert error_of(nothing) == (400, "subscription_mutation_rejected")


async def test_a_cancellation_is_scheduled_and_charges_nothing(client: PortalClient) -> None:
    assert exact(await schedule(client, {"type": "cancellation"})) == {
        "rail": "stripe",
        "cancelAtPeriodEnd": True,
        "effectiveAt": NEXT_MONTH,
        "message": "Your plan ends with the current billing period.",
    }
    current = (await plan(client))["current"]
    assert current["cancelAtPeriodEnd"] is True
    assert current["cancellationEffectiveAt"] == NEXT_MONTH
    assert client.portal.charges == []


@pytest.mark.parametrize(
    "body",
    [
        {"type": "tier_change", "subscriptionTypeId": "ultra"},
        {"type": "tier_change", "subscriptionTypeId": "plus"},
        {"type": "tier_change", "subscriptionTypeId": "gold"},
        {"type": "party"},
        {},
    ],
)
async def test_only_a_smaller_plan_can_be_scheduled(client: PortalClient, body: dict[str, str]) -> None:
    assert error_of(await schedule(client, body)) == (400, "subscription_mutation_rejected")


async def test_an_upgrade_happens_once_per_key(client: PortalClient) -> None:
    first, second = await upgrade(client, "super"), await upgrade(client, "super")
    assert exact(first) == exact(second) == {"status": "upgraded", "targetTierName": "Super"}
    current = (await plan(client))["current"]
    assert (current["tierName"], current["creditsRemaining"]) == ("Super", "101.199784210017")
    assert len(client.portal.upgrades) == 1
    assert error_of(await upgrade(client, "ultra")) == (409, "idempotency_conflict")


async def test_an_upgrade_to_the_current_plan_changes_nothing(client: PortalClient) -> None:
    assert exact(await upgrade(client, "plus"))["status"] == "already_on_tier"


@pytest.mark.parametrize(
    ("scenario", "status", "reason"),
    [
        ("authentication-required", "requires_action", "authentication_required"),
        ("3ds-behind-payment-failed", "payment_failed", "authentication_required"),
        ("declined", "payment_failed", "card_declined"),
    ],
)
async def test_an_upgrade_that_is_not_paid_points_to_the_portal(
    client: PortalClient, scenario: str, status: str, reason: str
) -> None:
    client.portal.set_scenario("acme", scenario)
    answer = exact(await upgrade(client, "super"))
    assert (answer["status"], answer["reason"]) == (status, reason)
    assert answer["recoveryUrl"].startswith(client.portal.public_url)
    assert (await plan(client))["current"]["tierName"] == "Plus"


async def test_an_upgrade_with_a_lost_answer_is_reported_on_retry(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "drop-after-once")
    with pytest.raises(httpx.TransportError):
        await upgrade(client, "super")
    assert exact(await upgrade(client, "super"))["status"] == "upgraded"
    assert len(client.portal.upgrades) == 1


async def test_a_sixth_upgrade_a_day_is_refused(client: PortalClient) -> None:
    for number in range(5):
        assert (await upgrade(client, "super", f"k{number}")).status_code == 200
        await client.http.post("/manage-subscription", data={"org": "acme", "action": "plus"})
    assert error_of(await upgrade(client, "super", "k5")) == (429, "upgrade_cap_exceeded")
    client.clock.tick(86_400)
    client.sign_in()
    assert (await upgrade(client, "super", "k5")).status_code == 200


async def test_a_scenario_can_exhaust_the_daily_upgrades(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "upgrade-cap")
    assert error_of(await upgrade(client, "super")) == (429, "upgrade_cap_exceeded")
    assert (await client.charge()).status_code == 202


async def test_an_upgrade_can_show_thirty_seconds_later(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "upgrade-applies-late")
    assert exact(await upgrade(client, "super"))["status"] == "upgraded"
    client.clock.tick(29.9)
    early = exact(await client.get("/api/oauth/account"))["subscription"]["plan"]
    assert ((await plan(client))["current"]["tierName"], early) == ("Plus", "Plus")
    client.clock.tick(0.1)
    late = exact(await client.get("/api/oauth/account"))["subscription"]["plan"]
    assert ((await plan(client))["current"]["tierName"], late) == ("Super", "Super")


async def test_an_upgrade_that_does_not_show_yet_is_not_bought_again(client: PortalClient) -> None:
    client.portal.set_scenario("acme", "upgrade-applies-late")
    await upgrade(client, "super", "k1")
    assert exact(await upgrade(client, "super", "k2"))["status"] == "already_on_tier"
    assert len(client.portal.upgrades) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_pending_change_requires_the_switch(client: PortalClient, method: str) -> None:
    await schedule(client, {"type": "cancellation"})
    client.portal.set_scenario("acme", "switch-off")
    body = {"type": "cancellation"} if method == "PUT" else None
    refusal = await client.send(method, f"{BASE}/pending-change", body)
    assert error_of(refusal) == (403, "cli_billing_disabled")
    assert (await plan(client))["current"]["cancelAtPeriodEnd"] is True


async def test_the_amount_due_now_can_have_a_decimal_point(client: PortalClient) -> None:
    client.sign_in("wanda")
    answer = await client.send("POST", f"{BASE}/preview", {"subscriptionTypeId": "super"})
    assert '"amountDueNowCents":8000.0' in answer.text


async def test_a_list_of_plans_can_be_incomplete(client: PortalClient) -> None:
    client.sign_in("tove")
    tiers = (await plan(client))["tiers"]
    assert [tier.get("tierId") for tier in tiers] == [None, "plus", "super", "ultra", "founders"]
    assert [tier["name"] for tier in tiers] == ["Free", "Plus", None, "Ultra", "Founders"]
    assert [tier["tierOrder"] for tier in tiers] == [0, 1, 2, None, 4]
    assert ["isEnabled" in tier for tier in tiers] == [True, True, True, True, False]
    assert ["isCurrent" in tier for tier in tiers] == [True, True, False, True, False]


async def test_upgrades_check_the_gates_in_order(client: PortalClient) -> None:
    acme = client.portal.organizations["acme"]
    acme.card = None
    acme.cli_billing_enabled = False
    client.sign_in("linus", "inference:invoke")
    heard = [error_of(await upgrade(client, "super"))]
    client.sign_in("ada", "inference:invoke")
    heard.append(error_of(await upgrade(client, "super")))
    acme.cli_billing_enabled = True
    heard.append(error_of(await upgrade(client, "super")))
    client.sign_in("ada")
    heard.append(error_of(await upgrade(client, "super", "")))
    heard.append(error_of(await upgrade(client, "super")))
    assert [error for _, error in heard] == [
        "role_required",
        "cli_billing_disabled",
        "insufficient_scope",
        "validation_failed",
        "no_payment_method",
    ]


async def test_the_first_plan_is_started_on_the_portal(client: PortalClient) -> None:
    client.sign_in("mara")
    preview = await client.send("POST", f"{BASE}/preview", {"subscriptionTypeId": "plus"})
    assert exact(preview)["effect"] == "blocked"
    assert error_of(await upgrade(client, "plus")) == (400, "subscription_mutation_rejected")
    await client.http.post("/manage-subscription", data={"org": "solo", "action": "plus"})
    assert (await plan(client))["current"]["tierName"] == "Plus"
