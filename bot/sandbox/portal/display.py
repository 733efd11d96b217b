"""The display of amounts, names and payment methods on pages."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.wire import EXACT

if TYPE_CHECKING:
    from bot.sandbox.portal.models import Organization

NAME_LIMIT = 60
_CENT = Decimal("0.01")


def dollars(amount: Decimal) -> str:
    """Return US dollars, rounded half-even: `$100`, `$142.50`, `$1,000`, `-$3.20`."""
    cents = amount.quantize(_CENT, rounding=ROUND_HALF_EVEN, context=EXACT)
    whole = cents == cents.to_integral_value()
    # abs() would round to the 28 digits of the default context.
    size = cents.copy_abs()
    shown = f"{size:,.0f}" if whole else f"{size:,.2f}"
    return f"-${shown}" if cents < 0 else f"${shown}"


def shortened(name: str) -> str:
    """Return the name, truncated to `NAME_LIMIT` characters."""
    return name if len(name) <= NAME_LIMIT else f"{name[: NAME_LIMIT - 1]}…"


def payment_method_name(organization: Organization) -> str | None:
    """Return the payment method, e.g. `Visa ending in 4242`, or None without a payment method."""
    card, other = organization.card, organization.other_method
    if card is not None:
        return f"{card.brand} ending in {card.last4}" if card.last4 else card.brand
    if other is not None:
        return f"{other.kind} ({other.email})" if other.email else other.kind
    return None
