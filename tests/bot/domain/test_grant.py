from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.grant import PollingPace, is_step_up, purpose_from_text


@pytest.mark.behavior(43)
def test_the_wait_after_an_outage_doubles_up_to_a_minute() -> None:
    pace = PollingPace(2)
    assert [pace.outage(None) for _ in range(6)] == [5, 10, 20, 40, 60, 60]


@pytest.mark.behavior(43)
def test_a_wait_that_the_portal_names_is_kept_in_full() -> None:
    assert PollingPace(5).outage(300) == 300


@pytest.mark.behavior(43)
def test_an_ordinary_answer_ends_the_doubling_and_slow_down_holds() -> None:
    pace = PollingPace(2)
    pace.outage(None)
    assert (pace.pending(), pace.outage(None), pace.slow_down(), pace.pending()) == (2, 5, 7, 7)


@given(st.integers(1, 60), st.lists(st.none() | st.integers(0, 86_400), max_size=30))
def test_no_wait_is_shorter_than_the_interval(interval: int, answers: list[int | None]) -> None:
    pace = PollingPace(interval)
    assert all(pace.outage(answer) >= interval for answer in answers)


@pytest.mark.parametrize(
    ("wanted", "widens"),
    [("resume abc", True), ("enable buy 50", True), ("enable", True), ("go buy", False), (None, False)],
)
def test_a_grant_for_the_permission_is_a_step_up(wanted: str | None, widens: bool) -> None:
    assert is_step_up(purpose_from_text(wanted)) is widens
