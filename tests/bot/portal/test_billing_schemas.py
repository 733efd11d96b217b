"""How the billing state and the answers about a charge are read."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.billing import AutoReloadCardKind, Role
from bot.domain.payment import PaymentMethod
from bot.portal.schemas.billing import BillingStateWire, ChargeAcceptedWire, ChargeStatusWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from tests.support.strategies import json_values

BASE = "https://portal.nousresearch.com"
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
def test_an_unusable_state_raises_no_other_error(body: Any) -> None:
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
def test_the_auto_reload_card_is_read_by_its_kind(
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
