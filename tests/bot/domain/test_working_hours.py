"""Working time passes in working hours alone, wherever people are and whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.working_hours import WorkingHours, zone_named

ZONES = ("UTC", "Europe/Helsinki", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Lagos")
FRIDAY = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)

hours = st.builds(
    WorkingHours,
    zone=st.sampled_from(ZONES),
    begins=st.integers(0, 12),
    ends=st.integers(13, 23),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))
spans = st.timedeltas(timedelta(minutes=1), timedelta(hours=40))


def test_four_hours_from_friday_afternoon_end_on_monday_morning() -> None:
    assert WorkingHours().after(FRIDAY, timedelta(hours=4)) == datetime(2026, 11, 30, 10, 0, tzinfo=UTC)


def test_the_next_morning_after_a_friday_is_monday_in_the_zone() -> None:
    monday = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
    assert WorkingHours(zone="Europe/Helsinki").next_morning(FRIDAY, 10) == monday


def test_an_unknown_zone_is_utc() -> None:
    assert zone_named("Mars/Olympus") == zone_named("UTC")


@given(hours=hours, start=moments, span=spans)
def test_the_end_of_a_span_lies_within_working_hours(
    hours: WorkingHours, start: datetime, span: timedelta
) -> None:
    end = hours.after(start, span)
    local = (end - timedelta(microseconds=1)).astimezone(zone_named(hours.zone))
    assert local.weekday() in hours.days
    assert hours.begins <= local.hour < hours.ends
    assert end - start >= span


@given(hours=hours, start=moments, span=spans, more=spans)
def test_more_working_time_never_ends_earlier_and_two_spans_are_their_sum(
    hours: WorkingHours, start: datetime, span: timedelta, more: timedelta
) -> None:
    both = hours.after(start, span + more)
    assert both >= hours.after(start, span)
    assert hours.after(hours.after(start, span), more) == both


@given(hours=hours, start=moments)
@pytest.mark.parametrize("hour", [10])
def test_the_next_morning_is_a_later_working_day_at_that_hour(
    hours: WorkingHours, start: datetime, hour: int
) -> None:
    zone = zone_named(hours.zone)
    morning = hours.next_morning(start, hour).astimezone(zone)
    assert morning.weekday() in hours.days
    assert morning.hour == hour
    assert morning.date() > start.astimezone(zone).date()
