"""Episodes: a balance around a line tells once, and what a model says on random paths is what is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.episode import Episode, EpisodeKind, Lines, Look, is_doubtful, judge
from bot.domain.pace import Pace
from bot.domain.reading import Reading, Reload, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 11, 2, tzinfo=UTC)
EXAMPLES = 10_000 if os.environ.get("PROVE") else 300
LINES = Lines(low=Decimal(20), critical=Decimal(5))


def reading(minutes: float, balance: str, **facts: object) -> Reading:
    made = Reading(at=START + timedelta(minutes=minutes), balance=Decimal(balance))
    return made._replace(**facts)  # type: ignore[arg-type]


def played(readings: Sequence[Reading], lines: Lines = LINES) -> list[tuple[EpisodeKind, int, datetime]]:
    """Judge one reading after another; return each change of a level, 0 for an end."""
    opened: dict[EpisodeKind, Episode] = {}
    told = []
    for number, each in enumerate(readings, start=1):
        look = Look(readings=readings[:number], now=each.at, lines=lines)
        for kind, level in judge(look, opened).items():
            told.append((kind, level, each.at))
            if level == 0:
                del opened[kind]
            else:
                since = opened[kind].opened_at if kind in opened else each.at
                opened[kind] = Episode(kind=kind, level=level, opened_at=since)
    return told


def levels(readings: Sequence[Reading], kind: EpisodeKind, lines: Lines = LINES) -> list[int]:
    return [level for found, level, _ in played(readings, lines) if found is kind]


@dataclass
class Model:
    """A low balance, as the words of the specification say it."""

    level: int = 0
    fine_since: datetime | None = None

    def see(self, each: Reading) -> int | None:
        """Return the new level if it changes."""
        now = 3 if each.balance <= 0 else 2 if each.balance < 5 else 1 if each.balance < 20 else 0
        if self.level == 0:
            self.fine_since = None
            return self._become(now) if now else None
        if each.balance >= 25:
            self.fine_since = self.fine_since or each.at
            is_long = each.at - self.fine_since >= timedelta(minutes=5)
            if is_long or each.source is Source.SETTLED:
                self.fine_since = None
                return self._become(0)
            return None
        self.fine_since = None
        return self._become(now) if now > self.level else None

    def _become(self, level: int) -> int:
        self.level = level
        return level


paths = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 4, 12, 60, 600]),
        st.sampled_from(["142", "30", "25", "24.99", "20", "19.99", "12", "5", "4.99", "0.01", "0", "-3"]),
        st.sampled_from([Source.POLL] * 6 + [Source.VISIT, Source.SETTLED]),
    ),
    max_size=30,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(path=paths)
def test_a_low_balance_is_told_exactly_as_the_model_says(
    path: list[tuple[int, str, Source]],
) -> None:
    readings, minutes = [], 0
    for wait, balance, source in path:
        minutes += wait
        readings.append(reading(minutes, balance, source=source))
    model = Model()
    expected = [level for each in readings if (level := model.see(each)) is not None]
    assert levels(readings, EpisodeKind.LOW) == expected


def test_down_up_and_down_again_are_two_episodes() -> None:
    found = levels(
        [reading(0, "142"), reading(10, "19"), reading(20, "30"), reading(30, "31"), reading(40, "18")],
        EpisodeKind.LOW,
    )
    assert found == [1, 0, 1]


def test_the_usual_line_follows_auto_reload() -> None:
    on = Reload(is_on=True, below=Decimal(50), up_to=Decimal(100))
    readings = [reading(0, "100", sees_all=True, reload=on), reading(10, "59", sees_all=True, reload=on)]
    assert levels(readings, EpisodeKind.LOW, Lines()) == [1]


def with_reload(minutes: float, balance: str, **facts: object) -> Reading:
    setting = Reload(is_on=True, below=Decimal(50), up_to=Decimal(100))
    known: dict[str, object] = {"sees_all": True, "reload": setting, "method": "visa"}
    return reading(minutes, balance, **{**known, **facts})


def test_auto_reload_that_was_seen_to_work_mutes_low_and_not_critical() -> None:
    readings = [with_reload(0, "70"), with_reload(10, "100"), with_reload(20, "55"), with_reload(30, "10")]
    assert levels(readings, EpisodeKind.LOW, Lines()) == [2]


def test_auto_reload_that_was_never_seen_to_work_mutes_nothing() -> None:
    assert levels([with_reload(0, "100"), with_reload(10, "55")], EpisodeKind.LOW, Lines()) == [1]


def test_auto_reload_below_its_line_for_half_an_hour_has_done_nothing() -> None:
    readings = [with_reload(0, "90"), with_reload(10, "45"), with_reload(35, "44"), with_reload(41, "43")]
    assert levels([*readings, with_reload(50, "100")], EpisodeKind.RELOAD_SILENT) == [1, 0]


def test_auto_reload_that_buys_four_times_in_an_hour_races() -> None:
    readings = [with_reload(0, "10")]
    for number in range(4):
        readings += [
            with_reload(number * 10 + 1, "100"),
            with_reload(number * 10 + 5, "10"),
        ]
    assert levels(readings, EpisodeKind.RELOAD_RACING) == [1]
    assert levels([*readings, with_reload(120, "9")], EpisodeKind.RELOAD_RACING) == [1, 0]


def test_auto_reload_switched_off_and_on_again() -> None:
    off = Reload(is_on=False, below=Decimal(50), up_to=Decimal(100))
    readings = [with_reload(0, "90"), with_reload(10, "90", reload=off), with_reload(20, "90")]
    assert levels(readings, EpisodeKind.RELOAD_OFF) == [1, 0]


def test_another_line_or_target_is_a_change_for_a_day() -> None:
    other = Reload(is_on=True, below=Decimal(50), up_to=Decimal(500))
    readings = [with_reload(0, "90"), with_reload(10, "90", reload=other)]
    assert levels(readings, EpisodeKind.RELOAD_CHANGED) == [1]
    later = [*readings, with_reload(24 * 60 + 11, "90", reload=other)]
    assert levels(later, EpisodeKind.RELOAD_CHANGED) == [1, 0]


def test_a_reading_by_a_member_changes_nothing_of_what_they_do_not_see() -> None:
    off = Reload(is_on=False, below=Decimal(50), up_to=Decimal(100))
    readings = [with_reload(0, "90"), reading(10, "90"), with_reload(20, "90", reload=off)]
    assert levels(readings, EpisodeKind.RELOAD_OFF) == [1]
    assert levels(readings[:2], EpisodeKind.CARD_GONE) == []


def test_a_payment_method_that_is_gone_and_there_again() -> None:
    readings = [with_reload(0, "90"), with_reload(10, "90", method=None), with_reload(20, "90")]
    assert levels(readings, EpisodeKind.CARD_GONE) == [1, 0]


def test_without_a_payment_method_from_the_start_nothing_is_gone() -> None:
    readings = [with_reload(0, "90", method=None), with_reload(10, "90", method=None)]
    assert levels(readings, EpisodeKind.CARD_GONE) == []


@pytest.mark.parametrize(
    ("spent", "expected"), [("799", []), ("800", [1]), ("900", [2]), ("1000", [3]), ("1200", [3])]
)
def test_the_monthly_limit_is_told_at_its_parts(spent: str, expected: list[int]) -> None:
    cap = {"cap_limit": Decimal(1000), "cap_spent": Decimal(spent), "sees_all": True}
    assert levels([reading(0, "90", **cap)], EpisodeKind.CAP) == expected


def test_a_new_month_ends_the_limits_episode() -> None:
    cap = {"cap_limit": Decimal(1000), "sees_all": True}
    readings = [
        reading(0, "90", cap_spent=Decimal(950), **cap),
        reading(10, "90", cap_spent=Decimal(940), **cap),
        reading(20, "90", cap_spent=Decimal(0), **cap),
    ]
    assert levels(readings, EpisodeKind.CAP) == [2, 0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("142", "0", True), ("142", "14", True), ("142", "15", False), ("10", "0", True), ("0", "0", False)],
)
def test_a_balance_that_has_vanished_is_doubtful(before: str, after: str, expected: bool) -> None:
    assert is_doubtful(reading(0, before), Decimal(after), LINES) is expected


def hourly(hours: int, rate: float, left: float) -> list[Reading]:
    return [reading(hour * 60, f"{left + rate * (hours - hour):.4f}") for hour in range(hours + 1)]


@pytest.mark.parametrize(
    ("left", "expected"),
    [(1_000, timedelta(minutes=60)), (40, timedelta(minutes=60)), (21, timedelta(minutes=7.5))],
)
def test_the_pace_follows_the_distance_to_the_nearest_line(left: float, expected: timedelta) -> None:
    readings = hourly(24 * 9, 1.0, left)
    look = Look(readings=readings, now=readings[-1].at, lines=LINES)
    assert abs(Pace().wait(look, []) - expected) < timedelta(seconds=2)


def test_without_a_rate_the_pace_is_the_usual() -> None:
    look = Look(readings=[reading(0, "90")], now=START, lines=LINES)
    assert Pace().wait(look, []) == timedelta(minutes=12)


def test_an_open_episode_is_read_often_in_its_first_hour() -> None:
    readings = hourly(24 * 9, 1.0, 300)
    look = Look(readings=readings, now=readings[-1].at, lines=LINES)
    young = Episode(kind=EpisodeKind.CAP, level=1, opened_at=look.now - timedelta(minutes=20))
    old = Episode(kind=EpisodeKind.CAP, level=1, opened_at=look.now - timedelta(hours=3))
    assert Pace().wait(look, [young]) == timedelta(minutes=3)
    assert Pace().wait(look, [old]) == timedelta(minutes=12)
