"""Thirty days of a balance, two days at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.past import PARTS, past_begins, past_of
from bot.domain.reading import Reading, intervals

NOW = datetime(2026, 11, 25, 14, 3, tzinfo=UTC)
ZONE = "Europe/London"


def read(hours_ago: float, balance: str) -> Reading:
    return Reading(at=NOW - timedelta(hours=hours_ago), balance=Decimal(balance))


def test_the_last_part_ends_with_today() -> None:
    past = past_of([read(24 * day, str(100 + day)) for day in range(40, -1, -1)], NOW, ZONE)
    assert len(past) == PARTS
    assert [f"{past[0].first}", f"{past[-1].first}"] == ["2026-10-27", "2026-11-24"]
    assert past[-1].balance == 100


def test_before_the_first_reading_nothing_is_drawn_and_one_part_is_too_few() -> None:
    assert [part.used for part in past_of([read(72, "90"), read(1, "80")], NOW, ZONE)] == [0, 10]
    assert past_of([read(2, "90"), read(1, "80")], NOW, ZONE) == []
    assert past_of([], NOW, ZONE) == []


@given(
    st.lists(st.integers(min_value=0, max_value=24 * 35), min_size=2, max_size=40, unique=True),
    st.data(),
)
def test_all_that_was_used_in_the_thirty_days_is_in_a_part(hours: list[int], data: st.DataObject) -> None:
    amounts = st.decimals(min_value=0, max_value=500, places=2)
    made = [read(each, str(data.draw(amounts))) for each in sorted(hours, reverse=True)]
    past = past_of(made, NOW, ZONE)
    begins = past_begins(NOW, ZONE)
    expected = sum((each.used or Decimal(0) for each in intervals(made) if each.end >= begins), Decimal(0))
    assert not past or sum(part.used for part in past) == expected
