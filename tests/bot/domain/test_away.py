"""An absence as people type it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.away import MOST_DAYS, AwayError, read_away

TODAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("typed", "last", "delegate"),
    [
        ("2026-12-24", date(2026, 12, 24), None),
        ("Dec 24", date(2026, 12, 24), None),
        ("december 24", date(2026, 12, 24), None),
        ("Jan 5", date(2027, 1, 5), None),
        ("tomorrow", date(2026, 11, 30), None),
        ("today", TODAY, None),
        ("3d", date(2026, 12, 2), None),
        ("3 days <@U0GRACE|grace>", date(2026, 12, 2), "U0GRACE"),
        ("<@U0GRACE> tomorrow", date(2026, 11, 30), "U0GRACE"),
    ],
)
def test_days_are_read_as_people_type_them(typed: str, last: date, delegate: str | None) -> None:
    assert read_away(typed, TODAY) == (last, delegate)


@pytest.mark.parametrize(
    "typed", ["", "soon", "2026-02-30", "Feb 30", "61d", "2026-11-28", "Dec ٣", "<@U0GRACE>", "24"]
)
def test_what_names_no_day_to_come_is_refused(typed: str) -> None:
    with pytest.raises(AwayError):
        read_away(typed, TODAY)


@given(typed=st.text())
def test_whatever_is_typed_is_a_day_within_sixty_or_refused(typed: str) -> None:
    try:
        last, _ = read_away(typed, TODAY)
    except AwayError:
        return
    assert TODAY <= last <= TODAY + timedelta(days=MOST_DAYS)
