"""The clock of a process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bot.elapsed import elapsed


class SystemClock:
    """The computer's time at the start, and the seconds since: setting its clock does not move it.

    With a database that has a clock, it is corrected by that, so that all processes agree.
    """

    def __init__(self) -> None:
        self.ahead = timedelta()
        self._is_corrected = False
        self._started = datetime.now(UTC), elapsed()

    def now(self) -> datetime:
        """Return the current time in UTC."""
        moment, at = self._started
        return moment + timedelta(seconds=elapsed() - at) + self.ahead

    def wall(self) -> datetime:
        """Return the computer's time, or the database's; in UTC."""
        return self.now() if self._is_corrected else datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await asyncio.sleep(seconds)

    def correct(self, ahead: timedelta) -> None:
        """Move this clock forward by `ahead`, because the database's is so far ahead."""
        self.ahead += ahead
        self._is_corrected = True

    def follow_computer(self) -> timedelta:
        """Take the computer's time again; return how far it was set. Call it while nothing is due."""
        was_set = datetime.now(UTC) - self.now()
        self.ahead += was_set
        return was_set
