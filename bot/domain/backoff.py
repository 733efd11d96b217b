"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` up to `cap`, in seconds."""

    first: float
    cap: float

    def longest(self, retries: int) -> float:
        """Return the longest wait after this number of retries, in seconds; the first wait is after 0."""
        return float(min(self.cap, self.first * 2 ** min(max(retries, 0), _MOST_DOUBLINGS)))

    def wait(self, retries: int, chance: float) -> float:
        """Return a wait between half of the longest and all of it. `chance` (0 to 1) spreads the load."""
        longest = self.longest(retries)
        return longest / 2 + chance * longest / 2
