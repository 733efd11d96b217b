"""How often and how long a charge is polled, and how long to wait for a portal that is busy or away."""

from __future__ import annotations

import random
from dataclasses import dataclass

from bot.domain.backoff import Backoff

BUSY_SECONDS = 5
BUSY_CAP_SECONDS = 30
AWAY_CAP_SECONDS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class PollRules:
    """How often and how long a submitted charge is polled, in seconds."""

    interval_seconds: float
    cap_seconds: float


def busy_wait(retry_after: int | None) -> float:
    """Return how many seconds to wait for a portal that says it is busy."""
    return min(BUSY_SECONDS if retry_after is None else max(1, retry_after), BUSY_CAP_SECONDS)


def away_wait(interval: float, misses: int) -> float:
    """Return how many seconds to wait for a portal that failed `misses` times in a row."""
    longest = max(interval, Backoff(interval, AWAY_CAP_SECONDS).longest(misses - 1))
    return random.uniform(interval, longest)  # noqa: S311 - spreads load
