"""How organizations of the sandbox use their balance, in dollars an hour; an hour is always the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def steady(_at: datetime) -> float:
    """Return what a service uses that runs day and night."""
    return 1.0


def office_hours(at: datetime) -> float:
    """Return what people use from Monday to Friday."""
    is_working = at.weekday() < 5 and 9 <= at.hour < 18  # noqa: PLR2004 - Friday, and hours of a day
    return 4.0 if is_working else 0.05


def bursts(at: datetime) -> float:
    """Return what jobs use that run now and then: one hour in five, by chance."""
    drawn = hashlib.sha256(f"{at:%Y-%m-%d %H}".encode()).digest()[0]
    return 4.0 if drawn < 51 else 0.5  # noqa: PLR2004 - a fifth of 256


USES: dict[str, Callable[[datetime], float]] = {
    "steady": steady,
    "office-hours": office_hours,
    "bursts": bursts,
}
