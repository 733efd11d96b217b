from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.billing import AutoReloadCardKind, BalanceLevel, MemberCap, PlanUsage, Role, Usage
from bot.domain.errors import NoOrganizationError
from bot.domain.payment import PaymentMethod
from bot.domain.subscription import Effect, UpgradeStatus
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.billing import BillingStateWire, ChargeAcceptedWire, ChargeStatusWire
from bot.portal.schemas.fields import UnusableAnswerError, parse_moment, read
from bot.portal.schemas.subscription import PreviewWire, SubscriptionStateWire, UpgradeWire
from tests.support.live import PLUS_WITH_ROLLOVER, PLUS_WITH_THE_PLAN_SPENT

BASE = "https://portal.nousresearch.com"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
OPTIONAL_FIELDS = (
    "balanceUsd",
    "cliBillingEnabled",
    "canChangePlan",
    "chargePresets",
    "bounds",
    "card",
    "monthlyCap",
    "autoReload",
    "portalUrl",
)
state_fields = st.dictionaries(st.sampled_from(OPTIONAL_FIELDS), json_values)


def state(**fields: Any) -> dict[str, Any]:
    return {"org": {"id": "o", "role": "OWNER"}, **fields}


@given(state_fields)
def test_malformed_optional_fields_never_break_the_state(fields: dict[str, Any]) -> None:
    read(BillingStateWire, state(**fields)).to_domain(BASE)


@given(json_values)
def test_an_unusable_state_is_said_to_be_so_and_nothing_else(body: Any) -> None:
    with contextlib.suppress(UnusableAnswerError):
        read(BillingStateWire, body).to_domain(BASE)


@pytest.mark.behavior(12)
def test_presets_that_do_not_parse_are_dropped() -> None:
    wire = state(chargePresets=["25", "x", None, "-5", "0", "50.00", 100, {}, "1e3", "10.001"])
    assert read(BillingStateWire, wire).to_domain(BASE).presets == (
        Decimal(25),
        Decimal(50),
        Decimal(100),
        Decimal(1000),
    )


def test_an_unknown_role_is_unknown() -> None:
    wire = {"org": {"id": "o", "role": "EMPEROR"}}
    assert read(BillingStateWire, wire).to_domain(BASE).role is Role.UNKNOWN


@pytest.mark.behavior(16)
def test_a_card_may_lack_its_last_digits() -> None:
    card = read(BillingStateWire, state(card={"brand": "Link", "last4": ""})).to_domain(BASE).payment_method
    assert card is not None
    assert (card.brand, card.last4) == ("Link", "")


VISA = {"brand": "visa", "last4": "4242"}
LINK = {"kind": "link", "email": "a@x.example", "resolvedVia": "customerDefault"}


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({"paymentMethod": {"kind": "card", **VISA}}, PaymentMethod(brand="visa", last4="4242")),
        (
            {"paymentMethod": {"kind": "card", **VISA, "wallet": "apple_pay"}},
            PaymentMethod(brand="visa", last4="4242", wallet="apple_pay"),
        ),
        (
            {"paymentMethod": LINK, "card": None},
            PaymentMethod(kind="link", email="a@x.example", resolved_via="customerDefault"),
        ),
        ({"paymentMethod": {"kind": "sepa_debit"}}, PaymentMethod(kind="sepa_debit")),
        ({"paymentMethod": {"kind": "card"}}, PaymentMethod()),
        ({"paymentMethod": {}}, PaymentMethod(kind="")),
        ({"paymentMethod": None, "card": VISA}, None),
        ({"card": VISA}, PaymentMethod(brand="visa", last4="4242")),
        ({"card": {}}, PaymentMethod()),
        ({"card": None}, None),
        ({}, None),
        ({"paymentMethod": "visa", "card": VISA}, PaymentMethod(brand="visa", last4="4242")),
    ],
)
def test_the_payment_method_decides_and_the_card_only_where_it_is_absent(
    fields: dict[str, Any], method: PaymentMethod | None
) -> None:
    assert read(BillingStateWire, state(**fields)).to_domain(BASE).payment_method == method


@given(
    st.builds(
        PaymentMethod,
        kind=st.text(max_size=10),
        brand=st.text(max_size=10),
        last4=st.text(max_size=4),
        wallet=st.none() | st.text(min_size=1, max_size=10),
        email=st.none() | st.text(min_size=1, max_size=10),
        resolved_via=st.none() | st.text(min_size=1, max_size=10),
    )
)
def test_a_payment_method_is_read_back_from_what_is_stored_of_it(method: PaymentMethod) -> None:
    assert PaymentMethod.from_text(method.to_text()) == method


def test_facts_of_a_payment_method_that_a_later_release_stores_are_left_out() -> None:
    assert PaymentMethod.from_text('{"kind": "card", "network": "x"}') == PaymentMethod()


@pytest.mark.parametrize(
    ("answer", "left", "rollover", "topped_up"),
    [
        (PLUS_WITH_THE_PLAN_SPENT, "0", "0", "32.0836345329777"),
        (PLUS_WITH_ROLLOVER, "22.472091793333334", "6.591792646666667", "0"),
    ],
)
def test_the_two_live_accounts_are_read_whole(
    answer: dict[str, Any], left: str, rollover: str, topped_up: str
) -> None:
    usage = read(AccountWire, answer).to_domain().usage
    assert usage.plan is not None
    assert (usage.plan.name, usage.plan.monthly) == ("Plus", Decimal(22))
    assert (usage.plan.left, usage.plan.rollover) == (Decimal(left), Decimal(rollover))
    assert usage.topped_up == Decimal(topped_up)
    assert usage.level is BalanceLevel.HEALTHY


def account(subscription: object = None, **access: Any) -> Usage:
    body = {
        "user": {"email": "a@x"},
        "organisation": {"id": "o"},
        "subscription": subscription,
        "paid_service_access": access,
    }
    return read(AccountWire, body).to_domain().usage


@pytest.mark.parametrize(
    ("subscription", "plan"),
    [
        ({"plan": "Plus"}, PlanUsage(name="Plus")),
        ({"plan": "Plus", "monthly_credits": None, "credits_remaining": "x"}, PlanUsage(name="Plus")),
        ({"monthly_credits": 22}, PlanUsage(name=None, monthly=Decimal(22))),
        ({"monthly_credits": 0}, None),
        ({}, None),
        ("Plus", None),
    ],
)
def test_a_plan_is_there_by_its_name_or_its_dollars(subscription: object, plan: PlanUsage | None) -> None:
    assert account(subscription).plan == plan


def test_the_plans_remainder_is_the_accesss_where_it_is_there() -> None:
    both = account({"plan": "Plus", "credits_remaining": 5}, subscription_credits_remaining="7.25")
    assert both.plan == PlanUsage(name="Plus", left=Decimal("7.25"))
    one = account({"plan": "Plus", "credits_remaining": 5}, subscription_credits_remaining=None)
    assert one.plan == PlanUsage(name="Plus", left=Decimal(5))


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        ({"allowed": True, "paid_access": False}, True),
        ({"allowed": False, "paid_access": True}, False),
        ({"paid_access": False}, False),
        ({"allowed": "yes"}, None),
        ({}, None),
    ],
)
def test_allowed_says_whether_paid_use_is_possible(access: dict[str, Any], allowed: bool | None) -> None:
    assert account(**access).allowed is allowed


def test_a_members_own_cap_is_read_and_is_none_for_people_without_one() -> None:
    over = account(
        member_spend_cap_exceeded=True,
        member_spend_cap_usd="25",
        member_spend_usd=Decimal("25.3061984"),
        member_spend_cap_remaining_usd="-0.3",
        reason="member_spend_cap_exceeded",
    )
    assert over.member_cap == MemberCap(
        exceeded=True, limit=Decimal(25), spent=Decimal("25.3061984"), left=Decimal("-0.3")
    )
    assert over.level is BalanceLevel.MEMBER_CAPPED
    nothing = account(member_spend_cap_exceeded=False, member_spend_cap_usd=None, member_spend_usd="3.2")
    assert nothing.member_cap is None


@pytest.mark.parametrize(
    "left_out",
    [
        {"organisation": None},
        {},
        {"organisation": {"id": "o"}, "paid_service_access": {"reason": "account_missing"}},
    ],
)
def test_a_login_without_an_organization_is_said_to_be_one(left_out: dict[str, Any]) -> None:
    with pytest.raises(NoOrganizationError):
        read(AccountWire, {"user": {"email": "a@x"}, **left_out}).to_domain()


@pytest.mark.behavior(18)
@pytest.mark.parametrize(
    ("card", "kind", "named"),
    [
        ({"kind": "canonical"}, AutoReloadCardKind.CANONICAL, False),
        ({"kind": "none"}, AutoReloadCardKind.NONE, False),
        ({"kind": "distinct", "brand": "visa", "last4": "1111"}, AutoReloadCardKind.DISTINCT, True),
        ({"kind": "distinct"}, AutoReloadCardKind.DISTINCT, False),
        ({"kind": "brand_new", "brand": "visa", "last4": "1111"}, None, False),
        (None, None, False),
    ],
)
def test_auto_reload_card_kinds(
    card: dict[str, str] | None, kind: AutoReloadCardKind | None, named: bool
) -> None:
    setting = (
        read(BillingStateWire, state(autoReload={"enabled": True, "card": card}))
        .to_domain(BASE)
        .auto_reload
    )
    assert setting is not None
    assert setting.card_kind is kind
    assert (setting.card is not None) is named


def test_an_unknown_charge_status_is_unusable() -> None:
    with pytest.raises(UnusableAnswerError):
        read(ChargeStatusWire, {"status": "maybe"})


def test_an_account_without_an_id_is_unusable() -> None:
    with pytest.raises(UnusableAnswerError):
        read(AccountWire, {"user": {}, "organisation": {"id": "o"}}).to_domain()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-24", datetime(2026, 7, 24, tzinfo=UTC)),
        ("2026-07-24T11:05:01.000Z", datetime(2026, 7, 24, 11, 5, 1, tzinfo=UTC)),
        ("2026-07-24T11:05:01+02:00", datetime(2026, 7, 24, 9, 5, 1, tzinfo=UTC)),
        ("tomorrow", None),
        (5, None),
    ],
)
def test_both_date_forms_are_read_as_utc(text: object, moment: datetime | None) -> None:
    assert parse_moment(text) == moment


@given(st.text() | st.integers() | st.none())
def test_no_date_raises(value: object) -> None:
    parse_moment(value)


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


@pytest.mark.parametrize(
    ("charge_id", "kept"),
    [
        ("ch_1", "ch_1"),
        ("c" * 303, "c" * 303),
        (12, "12"),
        ("", None),
        ("c" * 2001, None),
        ("a\x00b", None),
        ("\ud800", None),
        (None, None),
        ({}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_charges_id_is_kept_whole_or_counts_as_none(charge_id: object, kept: str | None) -> None:
    assert read(ChargeAcceptedWire, {"chargeId": charge_id}).charge_id == kept
