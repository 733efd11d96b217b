"""Which amounts can be charged: the portal's presets, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.money import CENT, MOST_CHARGED, Bounds
from bot.domain.rules import Rules

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState

_NO_RULES = Rules()
_MOST_PRESETS = 9


class Ceiling(StrEnum):
    """What sets the maximum amount."""

    PORTAL = "portal"
    MONTHLY_LIMIT = "monthly_limit"
    RULE = "rule"
    DAY = "day"
    TEAM = "team"
    """The most that people may ask for, by the organization's policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AmountOffer:
    """What can be charged now, in US dollars. It leaves out amounts that are certain to fail.

    `ceiling` says what sets the maximum.
    """

    presets: tuple[Decimal, ...]
    bounds: Bounds
    ceiling: Ceiling = Ceiling.PORTAL

    @classmethod
    def of(
        cls,
        state: BillingState,
        rules: Rules = _NO_RULES,
        *,
        left_today: Decimal | None = None,
        most: Decimal | None = None,
    ) -> AmountOffer:
        """Return what the portal and the operator's rules allow.

        `left_today` is what the operator's daily limit still allows this person, and `most` what the
        organization lets people ask for; None is no limit.
        """
        highest = {
            Ceiling.PORTAL: state.bounds.maximum,
            Ceiling.MONTHLY_LIMIT: state.monthly_cap.left if state.monthly_cap else None,
            Ceiling.RULE: rules.max_charge,
            Ceiling.DAY: left_today,
            Ceiling.TEAM: most,
        }
        known = {
            each: amount
            for each, amount in highest.items()
            if amount is not None and amount <= MOST_CHARGED
        }
        ceiling = min(known, key=known.__getitem__, default=Ceiling.PORTAL)
        bounds = replace(state.bounds, maximum=known.get(ceiling))
        presets = tuple(amount for amount in state.presets if bounds.allow(amount))
        return cls(presets=presets[:_MOST_PRESETS], bounds=bounds, ceiling=ceiling)

    @property
    def is_closed(self) -> bool:
        """Whether no amount can be charged."""
        least = self.bounds.minimum if self.bounds.minimum is not None else CENT
        return self.bounds.maximum is not None and self.bounds.maximum < max(least, CENT)
