"""The interface for time, in UTC, and the time that nobody sets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

# Where there is none, suspended time does not count.
_NEVER_SET = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return the seconds since some moment. Nobody can set it, and suspended time counts."""
    return time.clock_gettime(_NEVER_SET)


class Clock(Protocol):
    """A source of the current time and of waiting."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC.

        All that is due, ages or ends in this app is counted by it: setting the machine's clock does not
        move it.
        """

    def wall(self) -> datetime:
        """Return the time as others count it, in UTC: for what the portal or a calendar has set."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
