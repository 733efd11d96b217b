from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.money import (
    MOST,
    MOST_CHARGED,
    AmountError,
    AmountProblem,
    Bounds,
    parse_typed,
    parse_wire,
    payable,
    show,
    to_wire,
    whole_cents,
)

cents = st.decimals(min_value="0.01", max_value="999999999.99", places=2)


@pytest.mark.behavior(19)
@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("142.5", "$142.50"),
        ("100", "$100"),
        (None, "—"),
        ("1000", "$1,000"),
        ("0", "$0"),
        ("-3.2", "-$3.20"),
    ],
)
def test_money_is_shown_one_way(wire: str | None, shown: str) -> None:
    assert show(parse_wire(wire)) == shown


@pytest.mark.behavior(20)
@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("100", "100"),
        ("$100", "100"),
        ("1,000", "1000"),
        ("$ 25.00", "25"),
        (" 7.5 ", "7.5"),
        (".5", "0.5"),
        ("$1,234,567.89", "1234567.89"),
    ],
)
def test_amounts_that_people_type_are_read(typed: str, amount: str) -> None:
    assert parse_typed(typed) == Decimal(amount)


@pytest.mark.behavior(20)
@pytest.mark.parametrize(
    "typed",
    [
        *("nan", "NaN", "inf", "-inf", "Infinity", "1e400", "1e3", "1E3", "1_000", "１００", "٣", "0x10"),
        *("", " ", "$", "ten", "1,00", "10,000,0", "1.2.3", "--5", "5 5", "1 000", "$$5", "1.", ",5"),
        *("9" * 400, "50\n60", "5$", "½", "1/2"),
    ],
)
def test_text_that_is_not_an_amount_is_unreadable(typed: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_typed(typed)
    assert caught.value.problem is AmountProblem.UNREADABLE


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("0", AmountProblem.NOT_POSITIVE),
        ("0.00", AmountProblem.NOT_POSITIVE),
        ("-5", AmountProblem.NOT_POSITIVE),
        ("-$5", AmountProblem.NOT_POSITIVE),
        ("10.001", AmountProblem.TOO_PRECISE),
    ],
)
def test_an_amount_that_cannot_be_charged_says_why(typed: str, problem: AmountProblem) -> None:
    with pytest.raises(AmountError) as caught:
        parse_typed(typed)
    assert caught.value.problem is problem


@pytest.mark.behavior(20)
def test_bounds_name_the_limit_that_was_passed() -> None:
    bounds = Bounds(minimum=Decimal(5), maximum=Decimal(1000))
    with pytest.raises(AmountError) as small:
        bounds.check(Decimal("4.99"))
    with pytest.raises(AmountError) as large:
        bounds.check(Decimal("1000.01"))
    assert (small.value.problem, small.value.limit) == (AmountProblem.TOO_SMALL, Decimal(5))
    assert (large.value.problem, large.value.limit) == (AmountProblem.TOO_LARGE, Decimal(1000))
    assert bounds.check(Decimal(5)) == Decimal(5)
    assert bounds.check(Decimal(1000)) == Decimal(1000)


@given(cents)
def test_what_is_shown_is_read_back_as_the_same_amount(amount: Decimal) -> None:
    assert parse_typed(show(amount)) == amount


@given(cents)
def test_the_wire_gets_the_exact_amount_with_two_places_at_most(amount: Decimal) -> None:
    sent = to_wire(amount)
    assert sent == amount
    assert "E" not in str(sent)
    exponent = sent.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -2 <= exponent <= 0


@given(st.text())
def test_any_text_is_an_amount_above_zero_or_one_clear_problem(text: str) -> None:
    try:
        amount = parse_typed(text)
    except AmountError:
        return
    assert amount > 0
    assert amount == amount.quantize(Decimal("0.01"))


finite = st.decimals(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, exponent: Decimal((0, digits, exponent)),
    st.lists(st.integers(0, 9), min_size=1, max_size=60).map(tuple),
    st.integers(-400, 400),
)
HALF_A_CENT = Decimal("0.005")


@given(finite)
def test_any_finite_value_of_the_wire_is_money_as_a_number_and_as_text(value: Decimal) -> None:
    amount = parse_wire(value)
    assert amount is not None
    assert parse_wire(str(value)) == parse_wire(f"{value:e}") == amount
    if value.copy_abs() <= HALF_A_CENT:
        assert (amount, show(amount)) == (Decimal(0), "$0")
    elif value.copy_abs() >= MOST:
        assert amount.copy_abs() == MOST
    else:
        with localcontext(prec=900):
            assert abs(amount - value) <= Decimal("1e-18")


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("32.0836345329777", "$32.08"),
        (Decimal("22.472091793333334"), "$22.47"),
        (Decimal("-1e-22"), "$0"),
        ("1e+25", "$10,000,000,000,000,000,000,000,000"),
        ("26.359848035936", "$26.36"),
        ("1e400", "over $1,000,000,000,000,000,000,000,000,000,000"),
        ("-1e400", "under -$1,000,000,000,000,000,000,000,000,000,000"),
        ("1e99999999999999999999", "over $1,000,000,000,000,000,000,000,000,000,000"),
        ("1e-99999999999999999999", "$0"),
        (10**5000, "over $1,000,000,000,000,000,000,000,000,000,000"),
        ("1.", "$1"),
        (" 5 ", "$5"),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, int) else "an integer of 5,001 digits",
)
def test_what_the_live_portal_sends_is_shown(wire: object, shown: str) -> None:
    assert show(parse_wire(wire)) == shown


@pytest.mark.parametrize(
    "wire", ["nan", "inf", "-Infinity", "1_000", "１００", "٣", "0x10", "", "1,000", "e5", 1.5, True]
)
def test_a_value_that_is_not_a_number_counts_as_missing(wire: object) -> None:
    assert parse_wire(wire) is None


@given(finite)
def test_every_amount_can_be_shown_added_compared_and_sent(value: Decimal) -> None:
    amount = parse_wire(value)
    assert amount is not None
    assert show(amount)
    assert show(whole_cents(amount - Decimal("0.1")))
    assert payable(amount) in {True, False}
    assert "E" not in str(to_wire(amount))


@pytest.mark.parametrize(
    ("amount", "is_payable"),
    [
        ("0.01", True),
        ("999999999.99", True),
        ("1000000000", False),
        ("0", False),
        ("-1", False),
        ("1.001", False),
    ],
)
def test_every_offered_amount_is_one_that_a_person_could_type(amount: str, is_payable: bool) -> None:
    assert payable(Decimal(amount)) is is_payable


def test_an_amount_too_large_for_the_button_that_pays_it_is_said_to_be_too_large() -> None:
    with pytest.raises(AmountError) as caught:
        parse_typed("1000000000")
    assert caught.value.problem is AmountProblem.TOO_LARGE
    assert len(f"Pay {show(MOST_CHARGED)} now") <= 24


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.integers(), st.lists(st.text())))
def test_whatever_the_wire_holds_becomes_a_finite_decimal_or_nothing(value: object) -> None:
    amount = parse_wire(value)
    assert amount is None or amount.is_finite()
    if isinstance(value, float | bool):
        assert amount is None


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_can_be_shown(amount: Decimal) -> None:
    assert show(amount)
