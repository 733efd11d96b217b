"""The default answers beside the contract's tables, field by field, for every person."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.portal import SCENARIOS, PortalSandbox
from tests.sandbox.portal.desk import error_of, exact
from tests.sandbox.portal.shape import (
    flag,
    instant,
    misfits,
    money,
    nothing,
    number,
    one_of,
    text,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.portal.desk import Desk

PEOPLE = sorted(PortalSandbox().people)
MEMBERS = sorted(key for key, each in PortalSandbox().people.items() if each.organisation)
READS = ("/api/oauth/account", "/api/billing/state", "/api/billing/subscription")

CARD = {"brand": text, "last4": text, "resolvedVia?": text}
STATE: dict[str, object] = {
    "org": {"id": text, "slug": text, "name": text, "role": text},
    "balanceUsd": money,
    "cliBillingEnabled": flag,
    "canChangePlan?": flag,
    "chargePresets": [money],
    "bounds": {"minUsd": money, "maxUsd": money},
    "card": (nothing, CARD),
    "paymentMethod?": (
        nothing,
        {"kind": one_of("card"), "wallet?": one_of("apple_pay", "google_pay"), **CARD},
        {"kind": text, "email?": text, "resolvedVia?": text},
    ),
    "monthlyCap": (
        nothing,
        {"limitUsd": money, "spentThisMonthUsd": money, "isDefaultCeiling": flag},
    ),
    "autoReload": (
        nothing,
        {
            "enabled": flag,
            "thresholdUsd": money,
            "reloadToUsd": money,
            "card": {
                "kind": one_of("canonical", "none", "distinct"),
                "paymentMethodId?": text,
                "brand?": text,
                "last4?": text,
            },
        },
    ),
    "portalUrl?": text,
}
ACCOUNT: dict[str, object] = {
    "user": {"email": text, "privy_did": text},
    "organisation?": {"id": text, "slug": text, "name": text},
    "subscription": (
        nothing,
        {
            "plan": text,
            "tier": (nothing, whole),
            "monthly_charge": (nothing, number),
            "monthly_credits": (nothing, number),
            "current_period_end": (nothing, instant),
            "credits_remaining": (nothing, number),
            "rollover_credits": (nothing, number),
        },
    ),
    "paid_service_access": {
        "allowed": flag,
        "paid_access": flag,
        "reason": one_of(
            "usable_credits",
            "no_usable_credits",
            "no_active_subscription",
            "account_missing",
            "member_spend_cap_exceeded",
        ),
        "organisation_id": (nothing, text),
        "effective_at_ms": whole,
        "has_active_subscription": flag,
        "active_subscription_is_paid": flag,
        "subscription_tier": (nothing, whole),
        "subscription_monthly_charge": (nothing, number),
        "subscription_credits_remaining?": (nothing, number),
        "purchased_credits_remaining": (nothing, number),
        "total_usable_credits": (nothing, number),
        "member_spend_cap_exceeded": flag,
        "member_spend_cap_usd": (nothing, money),
        "member_spend_usd": (nothing, money),
        "member_spend_cap_remaining_usd": (nothing, money),
    },
    "tool_access": {
        "enabled": flag,
        "coverage": {
            f"{tool}?": flag
            for tool in ("firecrawl", "fal", "fal-video", "openai-audio", "browser-use", "modal")
        },
    },
}
TIER: dict[str, object] = {
    "tierId": text,
    "name": text,
    "tierOrder": whole,
    "dollarsPerMonthDisplay": money,
    "monthlyCredits": money,
    "isCurrent": flag,
    "isEnabled": flag,
}
TORN_TIER: dict[str, object] = {
    "tierId?": text,
    "name": (nothing, text),
    "tierOrder": (nothing, whole),
    "dollarsPerMonthDisplay": money,
    "monthlyCredits": money,
    "isCurrent?": flag,
    "isEnabled?": flag,
}
SUBSCRIPTION: dict[str, object] = {
    "org": {"id": text, "name": text, "role": text},
    "context": one_of("personal", "team"),
    "canChangePlan?": flag,
    "current": (
        nothing,
        {
            "tierId": text,
            "tierName": text,
            "monthlyCredits": money,
            "creditsRemaining?": money,
            "cycleEndsAt": instant,
            "pendingDowngradeTierName?": text,
            "pendingDowngradeAt?": instant,
            "cancelAtPeriodEnd": flag,
            "cancellationEffectiveAt?": instant,
        },
    ),
    "tiers": [TIER],
    "portalUrl?": text,
}
CHANGES: tuple[tuple[str, str, object, int, dict[str, object]], ...] = (
    ("POST", "/api/billing/charge", {"amountUsd": 50}, 202, {"chargeId": text}),
    (
        "PATCH",
        "/api/billing/auto-top-up",
        {"enabled": True, "threshold": 20, "topUpAmount": 100},
        200,
        {"autoReload": STATE["autoReload"]},
    ),
    (
        "POST",
        "/api/billing/subscription/preview",
        {"subscriptionTypeId": "super"},
        200,
        {
            "effect": one_of("charge_now", "scheduled", "no_op", "blocked"),
            "reason?": text,
            "currentTierId": text,
            "currentTierName": text,
            "targetTierId": text,
            "targetTierName": text,
            "monthlyCreditsDelta": money,
            "amountDueNowCents?": number,
            "effectiveAt?": instant,
        },
    ),
    (
        "PUT",
        "/api/billing/subscription/pending-change",
        {"type": "tier_change", "subscriptionTypeId": "free"},
        200,
        {
            "message": text,
            "effectiveAt": instant,
            "rail": text,
            "changeType": text,
            "targetTierName": text,
            "cancelAtPeriodEnd": flag,
        },
    ),
    (
        "PUT",
        "/api/billing/subscription/pending-change",
        {"type": "cancellation"},
        200,
        {"message": text, "effectiveAt": instant, "rail": text, "cancelAtPeriodEnd": flag},
    ),
    (
        "DELETE",
        "/api/billing/subscription/pending-change",
        None,
        200,
        {"message": text, "rail": text, "cancelAtPeriodEnd": flag},
    ),
    (
        "POST",
        "/api/billing/subscription/upgrade",
        {"subscriptionTypeId": "super"},
        200,
        {
            "status": one_of("upgraded", "already_on_tier", "requires_action", "payment_failed"),
            "targetTierName?": text,
            "reason?": text,
            "recoveryUrl?": text,
        },
    ),
)
CHARGE_STATUS: dict[str, object] = {
    "status": one_of("pending", "settled", "failed"),
    "amountUsd?": money,
    "settledAt?": instant,
    "reason?": text,
}
DEVICE_CODE: dict[str, object] = {
    "device_code": text,
    "user_code": text,
    "verification_uri": text,
    "verification_uri_complete": text,
    "expires_in": whole,
    "interval": whole,
}
REFUSAL: dict[str, object] = {
    "error": text,
    "message?": text,
    "portalUrl?": text,
    "code?": text,
    "actor?": one_of("self", "admin"),
    "recovery?": one_of("reconnect", "login", "enable_account_toggle"),
    "remainingUsd?": money,
    "isDefaultCeiling?": flag,
}
REFUSING: tuple[tuple[str, str], ...] = (
    *((row.name, row.gate.error) for row in SCENARIOS.values() if row.gate),
    ("no-card", "no_payment_method"),
    ("switch-off", "cli_billing_disabled"),
    ("cap-exceeded", "monthly_cap_exceeded"),
    ("rate-limited", "rate_limited"),
    ("temporarily-unavailable", "temporarily_unavailable"),
    ("stripe-unavailable", "stripe_unavailable"),
)
"""The scenarios that refuse something, and with which error."""

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
"""The call that is refused with an error, where it is not a charge."""

TOKENS: dict[str, object] = {
    "access_token": text,
    "refresh_token": text,
    "token_type": one_of("Bearer"),
    "expires_in": whole,
    "scope": text,
    "inference_base_url?": text,
}

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
"""The fields whose amounts come from use, and not from a person's hand."""

PUBLISHED: dict[str, dict[str, str]] = {
    "pia": {
        "monthly_credits": "22",
        "credits_remaining": "-1e-22",
        "rollover_credits": "0",
        "subscription_credits_remaining": "-1e-22",
        "purchased_credits_remaining": "32.0836345329777",
        "total_usable_credits": "32.0836345329777",
        "allowed": "true",
    },
    "rolf": {
        "monthly_credits": "22",
        "credits_remaining": "22.472091793333334",
        "rollover_credits": "6.591792646666667",
        "purchased_credits_remaining": "0",
        "total_usable_credits": "22.472091793333334",
        "allowed": "true",
    },
}
"""The two live answers that were published, field by field as JSON text."""


@pytest.mark.parametrize("person", PEOPLE)
async def test_the_account_answer_has_the_contracts_fields(desk: Desk, person: str) -> None:
    desk.sign_in(person)
    assert misfits(exact(await desk.get("/api/oauth/account")), ACCOUNT) == []


@pytest.mark.parametrize("person", MEMBERS)
async def test_the_overview_has_the_contracts_fields(desk: Desk, person: str) -> None:
    desk.sign_in(person)
    assert misfits(await desk.state(), STATE) == []


@pytest.mark.parametrize("person", MEMBERS)
async def test_the_subscription_answer_has_the_contracts_fields(desk: Desk, person: str) -> None:
    desk.sign_in(person)
    tier = TORN_TIER if person == "tove" else TIER
    answer = exact(await desk.get("/api/billing/subscription"))
    assert misfits(answer, {**SUBSCRIPTION, "tiers": [tier]}) == []


@pytest.mark.parametrize("person", ["ada", "wanda"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda row: f"{row[0]} {row[1]}")
async def test_the_answer_to_a_change_has_the_contracts_fields(
    desk: Desk, person: str, change: tuple[str, str, object, int, dict[str, object]]
) -> None:
    method, path, body, status, shape = change
    desk.sign_in(person)
    if method == "DELETE":
        await desk.send("PUT", path, {"type": "cancellation"})
    answer = await desk.send(method, path, body, "key")
    assert answer.status_code == status
    assert misfits(exact(answer), shape) == []


@pytest.mark.parametrize("amount", ["50", "10.01", "10.06"])
async def test_a_charges_status_has_the_contracts_fields(desk: Desk, amount: str) -> None:
    charged = await desk.charge(amount)
    assert misfits(await desk.poll(charged), CHARGE_STATUS) == []
    desk.clock.tick(3)
    assert misfits(await desk.poll(charged), CHARGE_STATUS) == []


@pytest.mark.parametrize(("scenario", "error"), REFUSING)
async def test_a_refusal_has_the_contracts_fields(desk: Desk, scenario: str, error: str) -> None:
    desk.portal.set_scenario("acme", scenario)
    charge = ("POST", "/api/billing/charge", {"amountUsd": 25})
    method, path, body = REFUSED_CALLS.get(error, charge)
    refusal = exact(await desk.send(method, path, body, "key"))
    assert refusal["error"] == error
    assert misfits(refusal, REFUSAL) == []
    assert refusal["portalUrl"].startswith("/billing")


async def test_device_codes_and_tokens_have_the_contracts_fields(desk: Desk) -> None:
    started = await desk.ask_for_code()
    desk.portal.approve(started["user_code"])
    granted = exact(await desk.redeem(started["device_code"]))
    assert misfits(started, DEVICE_CODE) == []
    assert misfits(granted, TOKENS) == []
    assert misfits(exact(await desk.renew(granted["refresh_token"])), TOKENS) == []


@pytest.mark.parametrize("person", [person for person in PEOPLE if person not in PUBLISHED])
@pytest.mark.parametrize("path", READS)
async def test_no_sum_of_use_comes_with_fewer_than_six_decimals(desk: Desk, person: str, path: str) -> None:
    desk.sign_in(person)
    answer = exact(await desk.get(path))
    short = [(name, amount) for name, amount in amounts_of_use(answer) if not has_long_tail(amount)]
    assert short == []


async def test_what_is_left_of_the_monthly_cap_has_six_decimals_too(desk: Desk) -> None:
    refusal = exact(await desk.charge(1000))
    assert refusal["error"] == "monthly_cap_exceeded"
    assert all(has_long_tail(amount) for _, amount in amounts_of_use(refusal))


def amounts_of_use(value: object) -> Iterator[tuple[str, Any]]:
    """The fields of `SUMS` anywhere in the answer, an honest nothing apart."""
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
    """Whether there are six decimals, or an exponent in their place."""
    exponent = Decimal(amount).as_tuple().exponent
    return isinstance(exponent, int) and (exponent <= -6 or exponent > 0)


@pytest.mark.parametrize("person", sorted(PUBLISHED))
async def test_a_published_answer_comes_to_the_letter(desk: Desk, person: str) -> None:
    desk.sign_in(person)
    answer = await desk.get("/api/oauth/account")
    sent = dict(re.findall(r'"(\w+)":([^",{}\[\]]+)', answer.text))
    assert {name: sent[name] for name in PUBLISHED[person]} == PUBLISHED[person]
    assert exact(answer)["subscription"]["plan"] == "Plus"


@pytest.mark.parametrize(("person", "total"), [("pia", "82.0836345329777"), ("rolf", "72.472091793333334")])
async def test_a_purchase_adds_to_a_published_answer(desk: Desk, person: str, total: str) -> None:
    desk.sign_in(person)
    await desk.charge(50)
    desk.clock.tick(3)
    access = exact(await desk.get("/api/oauth/account"))["paid_service_access"]
    assert access["total_usable_credits"] == Decimal(total)


@pytest.mark.parametrize(
    ("person", "allowed", "reason"),
    [
        ("ada", True, "usable_credits"),
        ("linus", True, "usable_credits"),
        ("omar", False, "member_spend_cap_exceeded"),
        ("mara", False, "no_active_subscription"),
        ("uma", True, "usable_credits"),
        ("noah", False, "account_missing"),
    ],
)
async def test_the_portal_decides_about_paid_use_and_says_why(
    desk: Desk, person: str, allowed: bool, reason: str
) -> None:
    desk.sign_in(person)
    access = exact(await desk.get("/api/oauth/account"))["paid_service_access"]
    assert (access["allowed"], access["paid_access"]) == (allowed, allowed)
    assert access["reason"] == reason


async def test_a_plan_with_nothing_left_anywhere_has_no_usable_credits(desk: Desk) -> None:
    desk.portal.organisations["plus-spent"].balance = Decimal(0)
    desk.sign_in("pia")
    access = exact(await desk.get("/api/oauth/account"))["paid_service_access"]
    assert (access["allowed"], access["reason"]) == (False, "no_usable_credits")


async def test_a_member_over_the_cap_gets_all_three_amounts(desk: Desk) -> None:
    desk.sign_in("omar")
    access = exact(await desk.get("/api/oauth/account"))["paid_service_access"]
    assert member_cap(access) == (True, "25", "25.318402771953", "0")


async def test_a_member_without_a_cap_has_the_fields_too(desk: Desk) -> None:
    desk.sign_in("linus")
    access = exact(await desk.get("/api/oauth/account"))["paid_service_access"]
    assert member_cap(access) == (False, None, "17.250318446207", None)


def member_cap(access: dict[str, Any]) -> tuple[object, ...]:
    return (
        access["member_spend_cap_exceeded"],
        access["member_spend_cap_usd"],
        access["member_spend_usd"],
        access["member_spend_cap_remaining_usd"],
    )


async def test_hidden_numbers_are_null_beside_the_plans_name(desk: Desk) -> None:
    desk.sign_in("uma")
    account = exact(await desk.get("/api/oauth/account"))
    plan = account["subscription"]
    assert plan.pop("plan") == "Plus"
    assert set(plan.values()) == {None}
    assert account["paid_service_access"]["total_usable_credits"] is None


async def test_a_login_without_an_organization_has_an_account_and_no_billing(desk: Desk) -> None:
    desk.sign_in("noah")
    account = exact(await desk.get("/api/oauth/account"))
    assert "organisation" not in account
    assert account["subscription"] is None
    for path in READS[1:]:
        assert error_of(await desk.get(path)) == (403, "org_access_denied")
    assert error_of(await desk.charge()) == (403, "org_access_denied")
    assert [(post.organisation, post.person) for post in desk.portal.charge_posts] == [(None, "noah")]


async def test_extreme_texts_and_amounts_come_as_they_are(desk: Desk) -> None:
    desk.sign_in("xena")
    answer = await desk.get("/api/billing/state")
    state = exact(answer)
    assert len(state["org"]["name"]) == 2940
    assert {"\x00", "\u202e", "\ud800", "🧪"} <= set(state["org"]["name"])
    assert r"\ud800" in answer.text
    assert state["balanceUsd"] == state["monthlyCap"]["limitUsd"] == "1e+25"
    assert state["bounds"]["maxUsd"] == "9" * 20
    assert state["autoReload"]["thresholdUsd"] == state["autoReload"]["reloadToUsd"] == "9" * 30


async def test_an_extreme_charge_is_booked_to_the_cent_under_a_long_id(desk: Desk) -> None:
    desk.sign_in("xena")
    charged = await desk.charge("99999999999999999998.99")
    assert len(exact(charged)["chargeId"]) == 303
    desk.clock.tick(3)
    assert (await desk.poll(charged))["amountUsd"] == "99999999999999999998.99"
    assert (await desk.state())["balanceUsd"] == "10000099999999999999999998.99"


async def test_money_of_the_billing_calls_can_come_as_json_numbers(desk: Desk) -> None:
    desk.sign_in("wanda")
    state = await desk.state()
    assert state["balanceUsd"] == Decimal("26.359848035936")
    assert state["chargePresets"] == [25, 50, 100]


async def test_the_access_token_says_whose_it_is_and_what_they_may_use(desk: Desk) -> None:
    assert (
        claims_of(desk.access).items()
        >= {
            "org_id": "org_acme",
            "client_id": "hermes-cli",
            "product_id": "hermes",
            "paid_access": True,
            "subscription_tier": 1,
        }.items()
    )
    desk.sign_in("noah")
    assert claims_of(desk.access)["org_id"] is None
    assert claims_of(desk.access)["paid_access"] is False


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
