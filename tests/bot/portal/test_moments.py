"""How moments are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portal.schemas.fields import parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-24", datetime(2026, 7, 24, tzinfo=UTC)),
        ("2026-07-24T11:05:01.000Z", datetime(2026, 7, 24, 11, 5, 1, tzinfo=UTC)),
        ("2026-07-24T11:05:01+02:00", datetime(2026, 7, 24, 9, 5, 1, tzinfo=UTC)),
        ("tomorrow", None),
        (5, None),
    ],
)
def test_both_date_forms_are_read_as_utc(text: object, moment: datetime | None) -> None:
    assert parse_moment(text) == moment


@given(st.text() | st.integers() | st.none())
def test_no_date_raises(value: object) -> None:
    parse_moment(value)
