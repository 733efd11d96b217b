"""How long to wait before the next try."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `cap`, in seconds."""

    first: float
    cap: float

    def longest(self, retries: int) -> float:
        """Return the longest wait after so many retries, 0 for the first."""
        return float(min(self.cap, self.first * 2 ** min(max(retries, 0), _MOST_DOUBLINGS)))

    def wait(self, retries: int, chance: float) -> float:
        """Return a wait between half of the longest and all of it; `chance`, from 0 to 1, spreads load."""
        longest = self.longest(retries)
        return longest / 2 + chance * longest / 2
