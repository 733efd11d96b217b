"""US dollars: from the wire, from a person, to the screen. Decimal throughout, never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum

CENT = Decimal("0.01")
DASH = "—"

# ASCII digits on purpose: `\d` and Decimal() also take full-width and other scripts' digits.
_TYPED = re.compile(r"(?:[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.[0-9]{1,2})?|\.[0-9]{1,2}")
_TOO_PRECISE = re.compile(r"[0-9,]{0,15}\.[0-9]{3,}")
_WIRE = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,12})?")


class AmountProblem(StrEnum):
    """Why an amount that somebody entered cannot be used."""

    UNREADABLE = "unreadable"
    TOO_PRECISE = "too_precise"
    NOT_POSITIVE = "not_positive"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"


class AmountError(ValueError):
    """An entered amount cannot be used; `problem` says why, `limit` is the bound that was passed."""

    def __init__(self, problem: AmountProblem, limit: Decimal | None = None) -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.limit = limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The smallest and the largest charge the portal takes, in US dollars; None is no bound."""

    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def check(self, amount: Decimal) -> Decimal:
        """Return `amount` when it lies within the bounds.

        Raises:
            AmountError: too small or too large, with the bound passed.
        """
        if self.minimum is not None and amount < self.minimum:
            raise AmountError(AmountProblem.TOO_SMALL, self.minimum)
        if self.maximum is not None and amount > self.maximum:
            raise AmountError(AmountProblem.TOO_LARGE, self.maximum)
        return amount


def parse_wire(value: object) -> Decimal | None:
    """Read dollars as the portal writes them: a decimal string, or a number parsed to Decimal or int.

    None stands for a missing, malformed, infinite or not-a-number value; floats are refused.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    text = str(value) if not isinstance(value, Decimal) else _plain(value)
    return Decimal(text) if text is not None and _WIRE.fullmatch(text) else None


def _plain(value: Decimal) -> str | None:
    if not value.is_finite() or not -12 <= value.adjusted() <= 15:  # noqa: PLR2004 - wider than any money
        return None
    return format(value, "f")


def parse_typed(text: str) -> Decimal:
    """Read an amount that a person typed: `50`, `$ 25.00`, `1,000`, `.5`.

    Raises:
        AmountError: unreadable, more than two decimals, or not above zero.
    """
    bare = text.strip().removeprefix("$").strip()
    if bare.startswith("-") and _TYPED.fullmatch(bare[1:].strip().removeprefix("$").strip()):
        raise AmountError(AmountProblem.NOT_POSITIVE)
    if _TOO_PRECISE.fullmatch(bare):
        raise AmountError(AmountProblem.TOO_PRECISE)
    if not _TYPED.fullmatch(bare):
        raise AmountError(AmountProblem.UNREADABLE)
    amount = Decimal(bare.replace(",", ""))
    if amount <= 0:
        raise AmountError(AmountProblem.NOT_POSITIVE)
    return amount


def show(amount: Decimal | None) -> str:
    """Write dollars the one way: `$100`, `$142.50`, `$1,000`, `-$3.20`, a dash for None."""
    if amount is None or not amount.is_finite():
        return DASH
    try:
        cents = amount.quantize(CENT, rounding=ROUND_HALF_EVEN)
    except InvalidOperation:
        return DASH
    whole = cents == cents.to_integral_value()
    digits = f"{abs(cents):,.0f}" if whole else f"{abs(cents):,.2f}"
    return f"-${digits}" if cents < 0 else f"${digits}"


def to_wire(amount: Decimal) -> Decimal:
    """Return the amount with two places at most, for an exact JSON number (50 is `50`, 12.5 is `12.5`)."""
    cents = amount.quantize(CENT)
    normal = cents.normalize()
    return normal if normal.as_tuple().exponent in (0, -1, -2) else normal.quantize(Decimal(1))
