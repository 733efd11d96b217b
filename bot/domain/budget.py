"""Budgets: how much may be added through this app in a month, for a person, in a channel, or for all."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.money import parse_typed
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.domain.request import OrganizationKey

MOST_BUDGETS = 30
THRESHOLDS = (80, 100)
"""At which parts of a budget, in percent, people are told."""

_WHOLE = 100
"""Percent."""


class Whose(StrEnum):
    """For whom a budget is."""

    PERSON = "person"
    """What is added for one person, whoever pays."""
    CHANNEL = "channel"
    """What is asked for, or added by oneself, in one channel."""
    ALL = "all"


class Mode(StrEnum):
    """What a budget does with an amount that goes over it."""

    ASK = "ask"
    """One more person is needed."""
    BLOCK = "block"
    """Nobody can add it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """One budget; `subject` is the person's or channel's Slack id, `set_by` the Slack id of who set it."""

    whose: Whose
    subject: str = ""
    amount: Decimal
    mode: Mode = Mode.ASK
    set_by: str

    @property
    def name(self) -> str:
        """Which one it is: an organization has one budget of a name."""
        return self.subject or Whose.ALL.value

    def concerns(self, user: str, channel: str | None) -> bool:
        """Tell whether it counts what is added for a person in a channel."""
        match self.whose:
            case Whose.PERSON:
                return self.subject == user
            case Whose.CHANNEL:
                return self.subject == channel
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """An amount (US dollars) that was, or is being, added for a person, as wanted in a channel."""

    amount: Decimal
    user: str
    channel: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """A calendar month of a time zone, from `opens_at` until before `closes_at` (UTC)."""

    first: date
    opens_at: datetime
    closes_at: datetime

    @classmethod
    def beginning(cls, first: date, zone: str) -> Month:
        """Return the month that begins on this day."""
        following = (first + timedelta(days=31)).replace(day=1)
        opens_at, closes_at = (
            datetime.combine(day, time.min, zone_named(zone)).astimezone(UTC) for day in (first, following)
        )
        return cls(first=first, opens_at=opens_at, closes_at=closes_at)

    @classmethod
    def at(cls, moment: datetime, zone: str) -> Month:
        """Return the month in which a moment lies."""
        return cls.beginning(moment.astimezone(zone_named(zone)).date().replace(day=1), zone)

    def __str__(self) -> str:
        """Write it as `2026-11`."""
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetUse:
    """A budget in a month, and what is counted in it so far (US dollars)."""

    budget: Budget
    month: Month
    counted: Decimal

    @property
    def left(self) -> Decimal:
        """What can still be added without going over it."""
        return max(self.budget.amount - self.counted, Decimal(0))

    @property
    def percent(self) -> int:
        """How much of it is counted, rounded down."""
        return int(self.counted * _WHOLE / self.budget.amount)

    def is_over_with(self, amount: Decimal) -> bool:
        """Tell whether so much more goes over it."""
        return self.counted + amount > self.budget.amount

    def reached_by(self, amount: Decimal) -> int | None:
        """Return the highest part, in percent, that so much more has reached; None if none."""
        after = replace(self, counted=self.counted + amount)
        return max((each for each in THRESHOLDS if self.percent < each <= after.percent), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedBudget:
    """What was typed: a budget to set, or without an amount one to end."""

    whose: Whose
    subject: str
    amount: Decimal | None
    mode: Mode

    @property
    def name(self) -> str:
        """As `Budget.name`."""
        return self.subject or Whose.ALL.value

    def set_by(self, user: str) -> Budget | None:
        """Return the budget as this person (a Slack id) sets it; None if it is to end."""
        if self.amount is None:
            return None
        return Budget(
            whose=self.whose, subject=self.subject, amount=self.amount, mode=self.mode, set_by=user
        )


class BudgetError(ValueError):
    """What was typed is no budget."""


def read_budget(typed: str) -> TypedBudget:
    """Read `budget WHOM AMOUNT [ask|block]` or `budget WHOM off`.

    WHOM is a person's or channel's mention, or `all`.

    Raises:
        BudgetError: it is not written so.
        AmountError: the amount is none.
    """
    found = _TYPED.fullmatch(typed.strip())
    if found is None:
        raise BudgetError
    person, channel, amount, mode = found["person"], found["channel"], found["amount"], found["mode"]
    is_off = amount.lower() == OFF
    if is_off and mode is not None:
        raise BudgetError
    return TypedBudget(
        whose=Whose.PERSON if person else Whose.CHANNEL if channel else Whose.ALL,
        subject=person or channel or "",
        amount=None if is_off else parse_typed(amount),
        mode=Mode(mode.lower()) if mode else Mode.ASK,
    )


OFF = "off"
_TYPED = re.compile(
    r"budget\s+(?:<@(?P<person>[UW][A-Z0-9]+)(?:\|[^>]*)?>|<#(?P<channel>[CG][A-Z0-9]+)(?:\|[^>]*)?>|all|everybody)"
    r"\s+(?P<amount>.+?)(?:\s+(?P<mode>ask|block))?",
    re.ASCII | re.IGNORECASE,
)


def uses_of(budgets: Iterable[Budget], month: Month, spent: Sequence[Spent]) -> tuple[BudgetUse, ...]:
    """Return how much of each budget is used by what was added in a month."""

    def counted(budget: Budget) -> Decimal:
        amounts = (each.amount for each in spent if budget.concerns(each.user, each.channel))
        return sum(amounts, Decimal(0))

    return tuple(BudgetUse(budget=budget, month=month, counted=counted(budget)) for budget in budgets)


def over(uses: Iterable[BudgetUse], amount: Decimal) -> BudgetUse | None:
    """Return the budget over which an amount goes: first one that lets nobody add it; None if it fits."""
    found = [use for use in uses if use.is_over_with(amount)]
    return min(found, key=lambda use: use.budget.mode is Mode.ASK, default=None)


def note_about(key: OrganizationKey, use: BudgetUse, threshold: int) -> str:
    """Return how messages name that so much of a budget was reached: each reader is told once."""
    whole = f"{key.tenant} {key.base_url} {key.organization_id} {use.budget.name} {use.budget.amount:f}"
    return f"{hashlib.sha256(whole.encode()).hexdigest()[:16]} {use.month} {threshold}"
