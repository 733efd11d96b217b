"""How often a watched balance is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.reading import ZERO
from bot.domain.runway import Lasts, NoUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.episode import Episode, Look

FIRST_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often a balance is read: between `least` and `most`, `usual` without a rate."""

    least: timedelta = timedelta(minutes=3)
    most: timedelta = timedelta(minutes=60)
    usual: timedelta = timedelta(minutes=12)

    def wait(self, look: Look, opened: Sequence[Episode]) -> timedelta:
        """Return how long to wait before the next reading, by the distance to the nearest line."""
        wait = self._by_distance(look)
        if any(look.now - each.opened_at < FIRST_HOUR for each in opened):
            wait = self.least
        elif opened:
            wait = min(wait, self.usual)
        return min(self.most, max(self.least, wait))

    def _by_distance(self, look: Look) -> timedelta:
        lasts = look.runway
        if isinstance(lasts, NoUse):
            return self.most
        if not isinstance(lasts, Lasts) or look.newest.balance <= 0:
            return self.usual
        balance = look.newest.balance
        lines = (look.lines.low_at(look.newest), look.lines.critical_at(look.newest), ZERO)
        nearest = max((line for line in lines if line < balance), default=ZERO)
        hours = lasts.near * (balance - nearest) / balance
        return timedelta(hours=float(hours)) / 8
