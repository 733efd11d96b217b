"""How the subscription, the preview of a change and the answer to an upgrade are read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.subscription import Effect, UpgradeStatus
from bot.portal.schemas.fields import UnusableAnswerError, read
from bot.portal.schemas.subscription import PreviewWire, SubscriptionStateWire, UpgradeWire
from tests.support.strategies import json_values

BASE = "https://portal.nousresearch.com"


@pytest.mark.behavior(56)
@pytest.mark.parametrize(
    ("wire", "effect"),
    [
        ({"effect": "charge_now", "amountDueNowCents": 3000}, Effect.CHARGE_NOW),
        ({"effect": "scheduled"}, Effect.SCHEDULED),
        ({"effect": "no_op"}, Effect.NO_OP),
        ({"effect": "blocked", "reason": "No."}, Effect.BLOCKED),
        ({"effect": "something_new"}, Effect.BLOCKED),
        ({}, Effect.BLOCKED),
        ({"effect": "charge_now"}, Effect.BLOCKED),
        ({"effect": "charge_now", "amountDueNowCents": -1}, Effect.BLOCKED),
        ({"effect": "charge_now", "amountDueNowCents": "3000"}, Effect.CHARGE_NOW),
        ({"effect": "charge_now", "amountDueNowCents": "3000.0"}, Effect.CHARGE_NOW),
        ({"effect": "charge_now", "amountDueNowCents": "much"}, Effect.BLOCKED),
        ({"effect": "charge_now", "amountDueNowCents": Decimal("3000.0")}, Effect.CHARGE_NOW),
        ({"effect": "charge_now", "amountDueNowCents": Decimal("3000.5")}, Effect.BLOCKED),
        ({"effect": "charge_now", "amountDueNowCents": 0}, Effect.BLOCKED),
        ({"effect": "charge_now", "amountDueNowCents": 10**20}, Effect.BLOCKED),
    ],
)
def test_a_preview_that_is_not_understood_is_blocked(wire: dict[str, Any], effect: Effect) -> None:
    preview = read(PreviewWire, wire).to_domain("max")
    assert preview.effect is effect
    assert preview.target_id == "max"
    if effect is Effect.CHARGE_NOW:
        assert preview.due_now == Decimal(30)


def test_a_subscription_is_read_with_what_is_scheduled() -> None:
    wire = {
        "org": {"id": "o 1", "name": "Acme", "role": "ADMIN"},
        "context": "personal",
        "current": {
            "tierId": "plus",
            "tierName": "Plus",
            "monthlyCredits": "22",
            "creditsRemaining": "13.2",
            "cycleEndsAt": "2026-12-01T00:00:00.000Z",
            "pendingDowngradeTierName": "Free",
            "cancelAtPeriodEnd": False,
        },
        "tiers": [
            {
                "tierId": "max",
                "name": "Max",
                "tierOrder": 2,
                "dollarsPerMonthDisplay": 50,
                "isEnabled": True,
            },
            {"tierId": "old", "name": "Old", "tierOrder": 1, "isEnabled": False},
            {"tierId": "plus", "name": "Plus", "tierOrder": 1, "isCurrent": True, "isEnabled": True},
        ],
    }
    found = read(SubscriptionStateWire, wire).to_domain(BASE)
    assert found.may_change_plan
    assert [tier.name for tier in found.choices] == ["Max"]
    assert found.choices[0].price == "$50"
    assert found.current is not None
    assert found.current.change_scheduled
    assert found.current.usage is not None
    assert found.manage_url == f"{BASE}/manage-subscription?org_id=o%201"


@pytest.mark.behavior(59)
@pytest.mark.parametrize(
    ("wire", "status", "reason"),
    [
        ({"status": "upgraded"}, UpgradeStatus.UPGRADED, None),
        ({"status": "payment_failed"}, UpgradeStatus.PAYMENT_FAILED, "card_declined"),
        (
            {"status": "payment_failed", "reason": "card_declined"},
            UpgradeStatus.PAYMENT_FAILED,
            "card_declined",
        ),
        (
            {"status": "payment_failed", "reason": "authentication_required"},
            UpgradeStatus.REQUIRES_ACTION,
            "authentication_required",
        ),
        (
            {"status": "payment_failed", "reason": "subscription_payment_intent_requires_action"},
            UpgradeStatus.REQUIRES_ACTION,
            "subscription_payment_intent_requires_action",
        ),
        ({"reason": "authentication_required"}, UpgradeStatus.REQUIRES_ACTION, "authentication_required"),
        ({"reason": "card_declined"}, UpgradeStatus.PAYMENT_FAILED, "card_declined"),
        (
            {"status": "requires_action", "reason": "card_declined"},
            UpgradeStatus.PAYMENT_FAILED,
            "card_declined",
        ),
    ],
)
def test_an_upgrades_reason_is_judged_before_its_status(
    wire: dict[str, Any], status: UpgradeStatus, reason: str | None
) -> None:
    result = read(UpgradeWire, wire).to_domain(BASE)
    assert (result.status, result.reason) == (status, reason)


@pytest.mark.behavior(59)
@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"status": "something_new"},
        {"status": 5},
        {"status": "upgraded", "reason": "authentication_required"},
    ],
)
def test_an_upgrade_that_is_not_understood_is_unusable_and_so_never_called_a_failure(
    wire: dict[str, Any],
) -> None:
    with pytest.raises(UnusableAnswerError):
        read(UpgradeWire, wire).to_domain(BASE)


CURRENT = {"tierId": "plus", "tierName": "Plus", "monthlyCredits": "22", "creditsRemaining": "13.2"}
TIER = {"tierId": "max", "name": "Max", "tierOrder": 2, "dollarsPerMonthDisplay": "50", "isEnabled": True}


@pytest.mark.parametrize(
    "torn",
    [
        {"isEnabled": None},
        {"isCurrent": None},
        {"name": None},
        {"dollarsPerMonthDisplay": None},
        {"monthlyCredits": {}},
        {"tierOrder": "2"},
    ],
)
def test_a_tier_with_one_torn_field_stays_on_offer(torn: dict[str, Any]) -> None:
    body = {"org": {"id": "o", "role": "OWNER"}, "current": CURRENT, "tiers": [{**TIER, **torn}]}
    assert [tier.id for tier in read(SubscriptionStateWire, body).to_domain(BASE).choices] == ["max"]


@pytest.mark.parametrize(
    ("tiers", "offered"),
    [
        (None, []),
        ("none", []),
        ([None, 5, TIER], ["max"]),
        ([{**TIER, "tierId": None}, TIER], ["max"]),
        ([{**TIER, "tierOrder": None}], []),
        ([{**TIER, "isEnabled": False}], []),
        ([{**TIER, "tierId": "free", "tierOrder": 0}], []),
        ([TIER, {**TIER, "name": "Again"}], ["max"]),
    ],
)
def test_tiers_are_read_one_by_one(tiers: object, offered: list[str]) -> None:
    body = {"org": {"id": "o", "role": "OWNER"}, "current": CURRENT, "tiers": tiers}
    assert [tier.id for tier in read(SubscriptionStateWire, body).to_domain(BASE).choices] == offered


@pytest.mark.parametrize("current", [None, {}, {**CURRENT, "tierId": None}, "plus"])
def test_without_a_plans_id_there_is_no_plan(current: object) -> None:
    body = {"org": {"id": "o", "role": "OWNER"}, "current": current, "tiers": [TIER]}
    found = read(SubscriptionStateWire, body).to_domain(BASE)
    assert found.current is None
    assert found.choices == ()
    assert [tier.name for tier in found.catalog] == ["Max"]
    assert found.plan_url("max") == f"{BASE}/manage-subscription?org_id=o&plan=max"


@pytest.mark.behavior(15)
def test_a_team_is_offered_no_plan_whatever_else_the_answer_says() -> None:
    body = {
        "org": {"id": "o", "role": "OWNER"},
        "context": "team",
        "canChangePlan": True,
        "current": CURRENT,
        "tiers": [TIER],
    }
    assert read(SubscriptionStateWire, body).to_domain(BASE).choices == ()


@given(
    st.dictionaries(
        st.sampled_from(["context", "canChangePlan", "current", "tiers", "portalUrl"]), json_values
    )
)
def test_malformed_optional_fields_never_break_the_plan(fields: dict[str, Any]) -> None:
    read(SubscriptionStateWire, {"org": {"id": "o", "role": "OWNER"}, **fields}).to_domain(BASE)
