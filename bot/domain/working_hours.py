"""When people work: reminders come within these hours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
A_DAY = timedelta(days=1)
USUAL_HOURS = "9-18 Mon-Fri"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2})(?::00)?\s*[-–]\s*(\d{1,2})(?::00)?")  # noqa: RUF001 - people type the dash
_RANGE = re.compile(r"(?:,?\s+)([a-z]{3})[a-z]*(?:\s*[-–]\s*([a-z]{3})[a-z]*)?")  # noqa: RUF001 - the same


class WorkingHoursError(ValueError):
    """What was typed names no working hours."""


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone of this name (IANA); UTC if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingHours:
    """Local hours of local days, 0 being Monday. Moments that go in and come out are in UTC."""

    zone: str = "UTC"
    begins: int = 9
    ends: int = 18
    days: tuple[int, ...] = MONDAY_TO_FRIDAY

    @classmethod
    def read(cls, typed: str, zone: str = "UTC") -> WorkingHours:
        """Read `9-18`, or `9-18 Mon-Fri`.

        Raises:
            WorkingHoursError: it names no hours of a day, or no days of a week.
        """
        words = typed.strip().lower()
        found = _HOURS.match(words)
        if found is None or not int(found[1]) < int(found[2]) <= 24:  # noqa: PLR2004 - hours of a day
            raise WorkingHoursError
        rest = words[found.end() :]
        days: tuple[int, ...] = MONDAY_TO_FRIDAY
        if rest:
            named = _RANGE.fullmatch(rest)
            if named is None or not {named[1], named[2] or named[1]} <= set(_DAYS):
                raise WorkingHoursError
            days = _days(named[1], named[2] or named[1])
        return cls(zone=zone, begins=int(found[1]), ends=int(found[2]), days=days)

    def to_text(self) -> str:
        """Return them as they can be typed; the days are consecutive."""
        first, last = _DAYS[self.days[0]].capitalize(), _DAYS[self.days[-1]].capitalize()
        return f"{self.begins}-{self.ends} {first if first == last else f'{first}-{last}'}"

    def after(self, start: datetime, span: timedelta) -> datetime:
        """Return the moment when so much working time has passed since `start`."""
        day, left = self._local(start), span
        while True:
            begins, ends = self._window(day)
            begins = max(begins, start)
            if day.weekday() in self.days and ends > begins:
                if left <= ends - begins:
                    return begins + left
                left -= ends - begins
            day += A_DAY

    def next_morning(self, after: datetime, hour: int) -> datetime:
        """Return that hour of the next working day after the day of `after`."""
        day = self._local(after) + A_DAY
        while day.weekday() not in self.days:
            day += A_DAY
        return self._at(day, hour)

    def _local(self, moment: datetime) -> date:
        return moment.astimezone(zone_named(self.zone)).date()

    def _window(self, day: date) -> tuple[datetime, datetime]:
        begins = self._at(day, self.begins)
        return begins, self._at(day + A_DAY, 0) if self.ends == 24 else self._at(day, self.ends)  # noqa: PLR2004

    def _at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), zone_named(self.zone)).astimezone(UTC)


def _days(first: str, last: str) -> tuple[int, ...]:
    """Return the days from the first to the last, over the end of the week if need be."""
    begins, ends = _DAYS.index(first), _DAYS.index(last)
    count = (ends - begins) % len(_DAYS) + 1
    return tuple((begins + each) % len(_DAYS) for each in range(count))
