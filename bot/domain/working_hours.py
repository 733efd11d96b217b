"""When people work: reminders come within these hours, in the zone of whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
A_DAY = timedelta(days=1)


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
        return self._at(day, self.begins), self._at(day, self.ends)

    def _at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), zone_named(self.zone)).astimezone(UTC)
