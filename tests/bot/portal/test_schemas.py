from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.billing import AutoReloadCardKind, Role
from bot.domain.subscription import Effect
from bot.portal.schemas import (
    AccountWire,
    BillingStateWire,
    ChargeStatusWire,
    PreviewWire,
    SubscriptionStateWire,
    UnusableAnswerError,
    parse_moment,
    read,
)

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


@pytest.mark.behaviour(12)
def test_presets_that_do_not_parse_are_dropped() -> None:
    wire = state(chargePresets=["25", "x", None, "-5", "0", "50.00", 100, {}, "1e3"])
    assert read(BillingStateWire, wire).to_domain(BASE).presets == (Decimal(25), Decimal(50), Decimal(100))


def test_an_unknown_role_is_unknown() -> None:
    wire = {"org": {"id": "o", "role": "EMPEROR"}}
    assert read(BillingStateWire, wire).to_domain(BASE).role is Role.UNKNOWN


@pytest.mark.behaviour(16)
def test_a_card_may_lack_its_last_digits() -> None:
    card = read(BillingStateWire, state(card={"brand": "Link", "last4": ""})).to_domain(BASE).card
    assert card is not None
    assert (card.brand, card.last4) == ("Link", "")


@pytest.mark.behaviour(18)
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


@pytest.mark.behaviour(56)
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
        ({"effect": "charge_now", "amountDueNowCents": "3000"}, Effect.BLOCKED),
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
    assert found.choices[0].price == "50"
    assert found.current is not None
    assert found.current.change_scheduled
    assert found.current.usage is not None
    assert found.manage_url == f"{BASE}/manage-subscription?org_id=o%201"
