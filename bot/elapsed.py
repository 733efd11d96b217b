"""The time that nobody sets."""

from __future__ import annotations

import time

# Where there is none, suspended time does not count.
_NEVER_SET = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return the seconds since some moment. Nobody can set it, and suspended time counts."""
    return time.clock_gettime(_NEVER_SET)
