"""A reading: what the portal said of an organization's balance at one moment, and what was used since."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.billing import BillingState

ZERO = Decimal(0)


class Source(StrEnum):
    """How a reading came."""

    POLL = "poll"
    """The watch asked for it."""
    VISIT = "visit"
    """Somebody looked at a screen."""
    SETTLED = "settled"
    """The first after one of our charges was settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reload:
    """Auto-reload as it is set: below `below`, the portal buys up to `up_to` (US dollars)."""

    is_on: bool
    below: Decimal | None = None
    up_to: Decimal | None = None


class Reading(NamedTuple):
    """One answer of the portal. Money is US dollars, times are UTC. A tuple, as a look reads hundreds.

    `sees_all`: it was read by somebody to whom the portal shows cap, auto-reload and payment method;
    otherwise those are not known. `method` is the payment method as people see it. `credit` is what our own
    charges have added since the reading before.
    """

    at: datetime
    balance: Decimal
    sees_all: bool = False
    reload: Reload | None = None
    cap_limit: Decimal | None = None
    cap_spent: Decimal | None = None
    method: str | None = None
    credit: Decimal = ZERO
    source: Source = Source.POLL

    @classmethod
    def of(cls, state: BillingState, at: datetime, *, method: str | None, source: Source) -> Reading | None:
        """Return what a state says; None if it names no balance, which is no reading."""
        if state.balance is None:
            return None
        if not state.may_change_plan:
            return cls(at=at, balance=state.balance, source=source)
        setting, cap = state.auto_reload, state.monthly_cap
        return cls(
            at=at,
            balance=state.balance,
            sees_all=True,
            reload=None
            if setting is None
            else Reload(is_on=setting.enabled, below=setting.threshold, up_to=setting.reload_to),
            cap_limit=None if cap is None else cap.limit,
            cap_spent=None if cap is None else cap.spent,
            method=method,
            source=source,
        )

    @property
    def is_reload_on(self) -> bool:
        """Whether auto-reload is known to be on."""
        return self.reload is not None and self.reload.is_on


class Interval(NamedTuple):
    """The time between two readings. `used` is None if more came in than we know of: `elsewhere`.

    A tuple, because each look makes hundreds of them.
    """

    start: datetime
    end: datetime
    used: Decimal | None
    elsewhere: Decimal = ZERO
    ends_at: Decimal = ZERO
    """The balance at its end."""


def used_between(before: Reading, after: Reading) -> Decimal:
    """Return what was used between two readings that follow each other; below 0 if more came in."""
    return before.balance + after.credit - after.balance


def intervals(readings: Sequence[Reading]) -> list[Interval]:
    """Return one interval for each two readings that follow each other; oldest first."""
    found = []
    for before, after in pairwise(readings):
        used = used_between(before, after)
        if used >= 0:
            found.append(Interval(before.at, after.at, used, ZERO, after.balance))
        else:
            found.append(Interval(before.at, after.at, None, -used, after.balance))
    return found
