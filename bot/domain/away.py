"""Being away: until when, as people type it, and who is told instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.domain.identity import Identity

MOST_DAYS = 60
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPAN = re.compile(r"([0-9]{1,3})\s*d(?:ays?)?")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class AwayError(ValueError):
    """What was typed names no day on which an absence can end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Away:
    """A person's absence: `until` (UTC) others are told, `delegate` by Slack id in the first place."""

    person: Identity
    until: datetime
    delegate: str | None = None


def read_away(typed: str, today: date) -> tuple[date, str | None]:
    """Return the last day of an absence, and the Slack id of who is told instead, if one is named.

    A day is `2026-12-24`, `Dec 24`, `tomorrow` or `3d`.

    Raises:
        AwayError: no such day, one that is over, or one in more than 60 days.
    """
    found = _MENTION.search(typed)
    delegate = found[1] if found else None
    words = _MENTION.sub("", typed).strip().lower()
    last = _read_day(words, today)
    if last is None or not today <= last <= today + timedelta(days=MOST_DAYS):
        raise AwayError
    return last, delegate


def _read_day(words: str, today: date) -> date | None:
    if words in {"today", "tomorrow"}:
        return today + timedelta(days=words == "tomorrow")
    if span := _SPAN.fullmatch(words):
        return today + timedelta(days=int(span[1]))
    try:
        return date.fromisoformat(words) if _ISO.fullmatch(words) else _day_of_month(words, today)
    except ValueError:
        return None


def _day_of_month(words: str, today: date) -> date | None:
    """Read `Dec 24` as the next such day."""
    name, _, number = words.partition(" ")
    if name[:3] not in _MONTHS or not number.strip().isascii() or not number.strip().isdigit():
        return None
    month = _MONTHS.index(name[:3]) + 1
    this_year = date(today.year, month, int(number))
    return this_year if this_year >= today else date(today.year + 1, month, int(number))
