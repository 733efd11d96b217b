from __future__ import annotations

from datetime import timedelta

from freezegun import freeze_time

from bot.rate_limit import REMEMBERED, RateLimiter


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    pace = RateLimiter(burst=3, per_second=1)
    with freeze_time() as frozen:
        assert [pace.allows("ada") for _ in range(4)] == [True, True, True, False]
        frozen.tick(timedelta(seconds=1))
        assert [pace.allows("ada") for _ in range(2)] == [True, False]


def test_a_long_rest_gives_no_more_than_a_burst() -> None:
    pace = RateLimiter(burst=2, per_second=1)
    with freeze_time() as frozen:
        pace.allows("ada")
        frozen.tick(timedelta(hours=1))
        assert [pace.allows("ada") for _ in range(3)] == [True, True, False]


def test_one_persons_rate_limit_does_not_affect_others() -> None:
    pace = RateLimiter(burst=1, per_second=1)
    assert [pace.allows("ada"), pace.allows("ada"), pace.allows("grace")] == [True, False, True]


def test_the_rate_limit_remembers_a_bounded_number_of_people() -> None:
    pace = RateLimiter(burst=1, per_second=1)
    for number in range(REMEMBERED + 10):
        pace.allows(str(number))
    assert len(pace._buckets) == REMEMBERED
