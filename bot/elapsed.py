"""Elapsed time, which setting a clock does not change."""

from __future__ import annotations

import time

# Where there is none, suspended time does not count.
_NEVER_SET = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return the seconds since some moment; those in which the machine was suspended count."""
    return time.clock_gettime(_NEVER_SET)
