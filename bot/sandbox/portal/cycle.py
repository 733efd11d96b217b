"""The billing cycle: a calendar month, in UTC."""

from __future__ import annotations

from bot.sandbox.portal.wire import iso_instant


def cycle_end(now: float) -> str:
    """Return the start of next month in ISO 8601. Plans renew and pending changes apply then."""
    year, month = int(iso_instant(now)[:4]), int(iso_instant(now)[5:7])
    following = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 December
    return "{:04d}-{:02d}-01T00:00:00.000Z".format(*following)
