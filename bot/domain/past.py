"""What a watched balance was in the last thirty days, two days at a time. Money is US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bot.domain.reading import ZERO, intervals
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.reading import Reading

PARTS = 15
A_PART = timedelta(days=2)
LEAST_PARTS = 2
"""With fewer there is nothing to draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Two days: their first, the balance at their end, and what was used in them as far as is known."""

    first: date
    balance: Decimal
    used: Decimal


def past_begins(now: datetime, zone: str) -> datetime:
    """Return when the first of the parts begins that end with the day of `now` in a zone (UTC)."""
    day = now.astimezone(zone_named(zone)).date() - PARTS * A_PART + timedelta(days=1)
    return datetime.combine(day, time.min, zone_named(zone)).astimezone(UTC)


def past_of(readings: Sequence[Reading], now: datetime, zone: str) -> list[Part]:
    """Return the parts from the first reading on, oldest first; readings are ordered, oldest first."""
    made: list[Part] = []
    found = intervals(readings)
    begins = past_begins(now, zone).astimezone(zone_named(zone)).date()
    for number in range(PARTS):
        first = begins + number * A_PART
        opens, closes = (
            datetime.combine(day, time.min, zone_named(zone)) for day in (first, first + A_PART)
        )
        known = [each.balance for each in readings if each.at < closes]
        if not known:
            continue
        used = sum((each.used or ZERO for each in found if opens <= each.end < closes), ZERO)
        made.append(Part(first=first, balance=known[-1], used=used))
    return made if len(made) >= LEAST_PARTS else []
