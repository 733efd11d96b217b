"""How long a balance lasts: last week is played again, once as it was and once at today's pace.

A rate knows no nights and no week-ends. So the hours of the last seven days are run forward from now until
the balance is gone. The range is between both runs. A rate beside it keeps one loud day from raising a
false alarm.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from bot.domain.reading import ZERO, intervals, used_between

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.reading import Reading

HOUR = timedelta(hours=1)
DAY_HOURS = 24
WEEK_HOURS = 168
HISTORY_HOURS = WEEK_HOURS + DAY_HOURS
"""Eight days: last week, and the day a week before today, with which today is compared."""

LEAST_READINGS = 6
LEAST_USE = Decimal(1)
MOST_HOURS = 90 * DAY_HOURS
MOST_WEEKS = Decimal(MOST_HOURS) / WEEK_HOURS
"""Further than this nobody looks ahead."""

LEAST_PACE, MOST_PACE = Decimal(1), Decimal(8)

_MICROSECOND = timedelta(microseconds=1)
_HOUR = HOUR // _MICROSECOND
LEAST_KNOWN = _HOUR // 20
"""The least part of an hour from which its rate is taken, in microseconds."""


class Unknown(Enum):
    """Why nothing is said of how long a balance lasts."""

    NOT_ENOUGH = auto()
    """Not enough history."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoUse:
    """Nothing was used in the last 24 hours; `since` is when something was used last (UTC), if known."""

    since: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lasts:
    """A balance lasts from `near` to `far` hours. `by_rate` is how long at the larger rate.

    `is_early`: there are less than eight days of history.
    """

    near: Decimal
    far: Decimal
    by_rate: Decimal
    is_early: bool = False

    def is_below(self, hours: int) -> bool:
        """Tell whether it ends within so many hours for certain enough to say so."""
        return self.near < hours and self.by_rate < hours

    def is_above(self, hours: Decimal) -> bool:
        """Tell whether it lasts longer than so many hours."""
        return self.near > hours or self.by_rate > hours


Runway: TypeAlias = "Unknown | NoUse | Lasts"


class Hours:
    """What was used in each of the last hours, as far as it is known; hour 1 is the one that ends now."""

    def __init__(self) -> None:
        self.used = [ZERO] * (HISTORY_HOURS + 1)
        """US dollars."""
        self.known = [0] * (HISTORY_HOURS + 1)
        """Of how much of the hour it is known, in microseconds."""

    def spread(self, used: Decimal, start: int, end: int) -> None:
        """Add what was used from `start` to `end`, in microseconds before now."""
        length, left = start - end, used
        for hour in range(end // _HOUR + 1, HISTORY_HOURS + 1):
            part = hour * _HOUR - end
            if start - end <= part:
                self.used[hour] += left
                self.known[hour] += start - end
                return
            share = used * part / length
            self.used[hour] += share
            self.known[hour] += part
            left -= share
            end += part

    @cached_property
    def rates(self) -> list[Decimal | None]:
        """Dollars an hour in each of the hours; None if too little is known."""
        return [
            None if known < LEAST_KNOWN else used * _HOUR / known
            for used, known in zip(self.used, self.known, strict=True)
        ]

    def used_in(self, after: int, until: int) -> Decimal:
        """Return what is known to have been used in the hours after `after`, up to `until`."""
        return sum(self.used[after + 1 : until + 1], ZERO)

    def rate_of_last(self, count: int) -> Decimal:
        """Return dollars an hour over the known part of so many hours."""
        known = sum(self.known[1 : count + 1])
        return self.used_in(0, count) * _HOUR / known if known else ZERO


def runway(readings: Sequence[Reading], hours: Hours, now: datetime) -> Runway:
    """Return how long the balance of the newest reading lasts; readings are ordered, oldest first.

    `hours` is what follows from the readings.
    """
    if not readings:
        return Unknown.NOT_ENOUGH
    used_today = hours.used_in(0, DAY_HOURS)
    history = now - readings[0].at
    if used_today == 0:
        return _without_use(readings, now)
    too_few = history < DAY_HOURS * HOUR or len(readings) < LEAST_READINGS
    if too_few or hours.used_in(0, HISTORY_HOURS) < LEAST_USE:
        return Unknown.NOT_ENOUGH
    balance = max(readings[-1].balance, ZERO)
    if history < HISTORY_HOURS * HOUR:
        return _early(hours, balance, used_today)
    filled = _filled(hours)
    if filled is None:
        return Unknown.NOT_ENOUGH
    week = list(accumulate(reversed(filled)))
    likely, scaled = _replay(balance, week), _replay(balance / _pace(hours, used_today), week)
    rate = max(hours.rate_of_last(DAY_HOURS), week[-1] / WEEK_HOURS)
    return Lasts(near=min(likely, scaled), far=max(likely, scaled), by_rate=_hours(balance, rate))


def _without_use(readings: Sequence[Reading], now: datetime) -> Runway:
    """Return the answer where nothing is known to have been used in 24 hours."""
    found = intervals(readings)
    is_known = any(each.used is not None and each.end > now - DAY_HOURS * HOUR for each in found)
    if not is_known or now - readings[0].at < DAY_HOURS * HOUR:
        return Unknown.NOT_ENOUGH
    used = [each.end for each in found if each.used]
    return NoUse(since=used[-1] if used else None)


def hours_of(readings: Sequence[Reading], now: datetime) -> Hours:
    """Spread what was used between two readings evenly over the hours between them; readings are ordered.

    Whole microseconds before now, and no more than is needed: a look spreads hundreds.
    """
    hours = Hours()
    newest_first = reversed(readings)
    later = next(newest_first, None)
    if later is None:
        return hours
    end = (now - later.at) // _MICROSECOND
    for earlier in newest_first:
        if end >= HISTORY_HOURS * _HOUR:
            break
        start = (now - earlier.at) // _MICROSECOND
        used = used_between(earlier, later)
        if used >= 0 and start > end:
            hours.spread(used, start, end)
        later, end = earlier, start
    return hours


def _filled(hours: Hours) -> list[Decimal] | None:
    """Return the rates of the week, its last hour first; None if more than a third of them is not known.

    An hour that is not known takes the mean of the same hour on the other days.
    """
    rates = hours.rates[1 : WEEK_HOURS + 1]
    known = [rate for rate in rates if rate is not None]
    if 3 * (WEEK_HOURS - len(known)) > WEEK_HOURS:
        return None
    mean = sum(known, ZERO) / len(known)
    return [
        _like_other_days(rates, hour, mean) if rate is None else rate for hour, rate in enumerate(rates)
    ]


def _like_other_days(rates: Sequence[Decimal | None], hour: int, mean: Decimal) -> Decimal:
    """Return the mean of the same hour on the other days; `mean` if none of them is known."""
    same = [rate for rate in rates[hour % DAY_HOURS :: DAY_HOURS] if rate is not None]
    return sum(same, ZERO) / len(same) if same else mean


def _pace(hours: Hours, used_today: Decimal) -> Decimal:
    """Return today's use beside that of the same 24 hours a week before."""
    then = hours.used_in(WEEK_HOURS, HISTORY_HOURS)
    if then <= 0:
        return MOST_PACE
    return min(MOST_PACE, max(LEAST_PACE, used_today / then))


def _replay(balance: Decimal, used: Sequence[Decimal]) -> Decimal:
    """Return after how many hours the balance is gone if the week is played again and again.

    `used` is what the week had used by the end of each of its hours.
    """
    total = used[-1]
    if total <= 0 or balance / total >= MOST_WEEKS:
        return Decimal(MOST_HOURS)
    weeks = int(balance / total)
    left = balance - weeks * total
    hour = bisect_left(used, left, hi=WEEK_HOURS - 1)
    before = used[hour - 1] if hour else ZERO
    part = (left - before) / (used[hour] - before) if left > before else ZERO
    return min(Decimal(MOST_HOURS), weeks * WEEK_HOURS + hour + part)


def _early(hours: Hours, balance: Decimal, used_today: Decimal) -> Lasts:
    """Return an estimate by the larger of today's rate and all that was seen."""
    rate = max(used_today / DAY_HOURS, hours.rate_of_last(HISTORY_HOURS))
    left = _hours(balance, rate)
    return Lasts(near=left, far=left, by_rate=left, is_early=True)


def _hours(balance: Decimal, rate: Decimal) -> Decimal:
    return min(Decimal(MOST_HOURS), balance / rate) if rate > 0 else Decimal(MOST_HOURS)


def busiest_hour(hours: Hours) -> Decimal:
    """Return the most that was used in one hour of the last week before the last hour."""
    return max((rate for rate in hours.rates[2 : WEEK_HOURS + 1] if rate is not None), default=ZERO)


def last_hour(hours: Hours) -> Decimal:
    """Return what is known to have been used in the last hour."""
    return hours.used_in(0, 1)
