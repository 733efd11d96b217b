"""When the weekly digest is due, and what it adds up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.digest import WEEK, digest_of, end_of, next_digest, week_of
from bot.domain.episode import Lines, Look
from bot.domain.reading import Reading

ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(ZONES))
def test_it_is_due_on_a_monday_at_nine_within_a_week(now: datetime, zone: str) -> None:
    due = next_digest(now, zone)
    local = due.astimezone(ZoneInfo(zone))
    assert (local.weekday(), local.hour, local.minute) == (0, 9, 0)
    # A week may be an hour longer or shorter where clocks change.
    assert timedelta(0) < due - now <= WEEK + timedelta(hours=1)


@given(MOMENTS, st.sampled_from(ZONES))
def test_a_week_names_its_own_end(now: datetime, zone: str) -> None:
    due = next_digest(now, zone)
    assert end_of(week_of(due, zone), zone) == due


@given(MOMENTS, st.sampled_from(ZONES))
def test_no_week_is_skipped_or_told_twice(now: datetime, zone: str) -> None:
    due = next_digest(now, zone)
    following = next_digest(due, zone)
    assert week_of(due, zone) != week_of(following, zone)
    assert abs(following - due - WEEK) <= timedelta(hours=1)


def look(*balances: tuple[float, str]) -> Look:
    readings = [
        Reading(at=NOW - timedelta(hours=hours), balance=Decimal(balance)) for hours, balance in balances
    ]
    return Look(readings=readings, now=NOW, lines=Lines())


@pytest.mark.parametrize(
    ("balances", "used", "elsewhere"),
    [
        ([(10, "50"), (9, "45"), (8, "44.5")], "5.5", "0"),
        ([(10, "50"), (9, "150"), (8, "149")], "1", "100"),
        ([(200, "90"), (190, "50"), (10, "50"), (9, "45")], "5", "0"),
        ([(10, "50"), (9, "50")], "0", "0"),
    ],
)
def test_what_was_used_and_added_elsewhere_in_the_week_alone(
    balances: list[tuple[float, str]], used: str, elsewhere: str
) -> None:
    week = digest_of(look(*balances), "Acme", [], [])
    assert (week.used, week.elsewhere) == (Decimal(used), Decimal(elsewhere))
    assert week.has_news is (used != "0")


def test_hours_without_readings_are_added_up() -> None:
    week = digest_of(look((20, "50"), (14, "49"), (13, "48"), (10, "47")), None, [], [])
    assert week.silent == timedelta(hours=9)
