"""US dollars: reading them from the wire and from people, and showing them. Always Decimal, never float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from enum import StrEnum

CENT = Decimal("0.01")
DASH = "—"
MOST = Decimal(10) ** 30
"""The largest absolute amount that is read from the portal; more is shown as "over" this."""

MOST_CHARGED = Decimal("999999999.99")
"""The largest amount that a person can type; a longer one would not fit on the button that pays it."""

# Only ASCII digits: `\d` and Decimal() also accept full-width digits and those of other scripts.
_TYPED = re.compile(r"(?:[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.[0-9]{1,2})?|\.[0-9]{1,2}")
_TOO_PRECISE = re.compile(r"[0-9,]{0,15}\.[0-9]{3,}")
_WIRE = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CURRENCY = re.compile(r"\s*(usd|dollars?)$", re.IGNORECASE)
_HALF_A_CENT = Decimal("0.005")
_LEAST_EXPONENT = -18
# Enough digits for MOST with all decimals that are kept.
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


class AmountProblem(StrEnum):
    """Why an entered amount cannot be used."""

    UNREADABLE = "unreadable"
    TOO_PRECISE = "too_precise"
    NOT_POSITIVE = "not_positive"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"


class AmountError(ValueError):
    """An entered amount cannot be used; `problem` says why, `limit` is the bound it violates."""

    def __init__(self, problem: AmountProblem, limit: Decimal | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.limit = limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The smallest and the largest charge the portal accepts, in US dollars; None is no bound."""

    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def below(self, most: Decimal | None) -> Bounds:
        """Return the bounds with a maximum of `most` or less."""
        ends = [end for end in (self.maximum, most) if end is not None]
        return Bounds(minimum=self.minimum, maximum=min(ends, default=None))

    def allow(self, amount: Decimal) -> bool:
        """Tell whether `amount` lies within the bounds."""
        above = self.minimum is None or amount >= self.minimum
        return above and (self.maximum is None or amount <= self.maximum)

    def check(self, amount: Decimal) -> Decimal:
        """Return `amount` if it lies within the bounds.

        Raises:
            AmountError: too small or too large, with the violated bound.
        """
        if self.minimum is not None and amount < self.minimum:
            raise AmountError(AmountProblem.TOO_SMALL, self.minimum)
        if self.maximum is not None and amount > self.maximum:
            raise AmountError(AmountProblem.TOO_LARGE, self.maximum)
        return amount


def parse_wire(value: object) -> Decimal | None:
    """Read dollars as the portal writes them: a decimal string, or a JSON number parsed to Decimal or int.

    Any finite value is money, with any number of decimals and any exponent (docs/portal.md, section 2.3).
    Values up to half a cent become 0, values beyond MOST become MOST, and 18 decimals are kept. Return None
    for a missing, malformed, infinite or not-a-number value, and for a float.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    amount = _from_text(value.strip()) if isinstance(value, str) else Decimal(value)
    if amount is None or not amount.is_finite():
        return None
    if amount.copy_abs() <= _HALF_A_CENT:
        return Decimal(0)
    bounded = max(MOST.copy_negate(), min(MOST, amount))
    exponent = bounded.as_tuple().exponent
    too_precise = isinstance(exponent, int) and exponent < _LEAST_EXPONENT
    return bounded.quantize(Decimal((0, (1,), _LEAST_EXPONENT)), context=_WIDE) if too_precise else bounded


def _from_text(text: str) -> Decimal | None:
    if not _WIRE.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent is too large for Decimal
        digits, _, exponent = text.lower().partition("e")
        return Decimal(0) if exponent.startswith("-") else Decimal(digits) * MOST


def payable(amount: Decimal) -> bool:
    """Tell whether a person could type this amount: above zero, in whole cents, up to MOST_CHARGED."""
    return 0 < amount <= MOST_CHARGED and amount == whole_cents(amount)


def whole_cents_up(amount: Decimal) -> Decimal:
    """Round up to whole cents: a minimum must not become smaller."""
    return amount.quantize(CENT, rounding=ROUND_CEILING, context=_WIDE)


def whole_cents(amount: Decimal) -> Decimal:
    """Round down to whole cents: what is left must not become more."""
    return amount.quantize(CENT, rounding=ROUND_DOWN, context=_WIDE)


def nearest_cents(amount: Decimal) -> Decimal:
    """Round to whole cents, as amounts are shown."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN, context=_WIDE)


def parse_typed(text: str) -> Decimal:
    """Read an amount that a person typed: `50`, `$ 25.00`, `1,000`, `.5`, `50 USD`.

    Raises:
        AmountError: unreadable, more than two decimals, not above zero, or above MOST_CHARGED.
    """
    bare = _CURRENCY.sub("", text.strip()).removeprefix("$").strip()
    if bare.startswith("-") and _TYPED.fullmatch(bare[1:].strip().removeprefix("$").strip()):
        raise AmountError(AmountProblem.NOT_POSITIVE)
    if _TOO_PRECISE.fullmatch(bare):
        raise AmountError(AmountProblem.TOO_PRECISE)
    if not _TYPED.fullmatch(bare):
        raise AmountError(AmountProblem.UNREADABLE)
    amount = Decimal(bare.replace(",", ""))
    if amount <= 0:
        raise AmountError(AmountProblem.NOT_POSITIVE)
    return Bounds(maximum=MOST_CHARGED).check(amount)


def show(amount: Decimal | None) -> str:
    """Format dollars: `$100`, `$142.50`, `$1,000`, `-$3.20`, a dash for None."""
    if amount is None or not amount.is_finite():
        return DASH
    if abs(amount) >= MOST:
        return f"over ${MOST:,.0f}" if amount > 0 else f"under -${MOST:,.0f}"
    cents = nearest_cents(amount)
    whole = cents == cents.to_integral_value()
    digits = f"{abs(cents):,.0f}" if whole else f"{abs(cents):,.2f}"
    return f"-${digits}" if cents < 0 else f"${digits}"


def to_wire(amount: Decimal) -> Decimal:
    """Return the amount with two decimals at most, as an exact JSON number (50 is `50`, 12.5 is `12.5`)."""
    normal = amount.quantize(CENT, context=_WIDE).normalize(_WIDE)
    return (
        normal if normal.as_tuple().exponent in (0, -1, -2) else normal.quantize(Decimal(1), context=_WIDE)
    )
