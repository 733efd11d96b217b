"""The weekly digest: when it is due, and the numbers in it. Money is US dollars, times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bot.domain.budget import THRESHOLDS
from bot.domain.reading import ZERO
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.budget import BudgetUse
    from bot.domain.episode import Look
    from bot.domain.request import FundsRequest

WEEK = timedelta(days=7)
MORNING = time(9)
LATE = timedelta(hours=24)
"""A digest that is later than this is not sent any more."""

GAP = timedelta(hours=2)
"""Longer without a reading is said; the longest pace is an hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """A purchase of the week: for whom and by whom, as Slack ids."""

    amount: Decimal
    requester: str
    payer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """An organization's week, as it was at its end. `look` has what was known then."""

    organization_name: str | None
    look: Look
    used: Decimal
    elsewhere: Decimal
    silent: timedelta
    added: Sequence[Added]
    waiting: Sequence[FundsRequest]
    budgets: Sequence[BudgetUse] = ()
    """Those of which much is used in the month of its end."""

    @property
    def has_news(self) -> bool:
        """Whether there is more to say than that nothing was used."""
        return bool(self.used or self.elsewhere or self.added or self.waiting)


def next_digest(now: datetime, zone: str) -> datetime:
    """Return the first Monday, 9:00 in a zone, after `now`."""
    local = now.astimezone(zone_named(zone))
    monday = local.date() - timedelta(days=local.weekday())
    due = _morning(monday, zone)
    return due if due > now else _morning(monday + WEEK, zone)


def week_of(at: datetime, zone: str) -> str:
    """Return the ISO week in which a digest is due: `2026-W48`."""
    year, week, _ = at.astimezone(zone_named(zone)).isocalendar()
    return f"{year}-W{week:02}"


def end_of(week: str, zone: str) -> datetime:
    """Return when the digest of an ISO week is due: it tells of the seven days before."""
    year, number = week.split("-W")
    return _morning(date.fromisocalendar(int(year), int(number), 1), zone)


def _morning(day: date, zone: str) -> datetime:
    return datetime.combine(day, MORNING, zone_named(zone)).astimezone(UTC)


def digest_of(
    look: Look,
    name: str | None,
    added: Sequence[Added],
    waiting: Sequence[FundsRequest],
    budgets: Sequence[BudgetUse] = (),
) -> Digest:
    """Return the week that ends with the look."""
    week = [each for each in look.intervals if each.end > look.now - WEEK]
    gaps = [each.end - each.start for each in week if each.end - each.start > GAP]
    return Digest(
        organization_name=name,
        look=look,
        used=sum((each.used or ZERO for each in week), ZERO),
        elsewhere=sum((each.elsewhere for each in week), ZERO),
        silent=sum(gaps, timedelta(0)),
        added=added,
        waiting=waiting,
        budgets=[each for each in budgets if each.percent >= THRESHOLDS[0]],
    )
