"""The interface for time, in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


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
