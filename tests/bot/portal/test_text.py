from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.portal.text import clean, whole

any_text = st.text(st.characters(codec=None), max_size=60)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Acme", "Acme"),
        ("  Acme \n\t Lab ", "Acme Lab"),
        ("Ac\x00me\x1b", "Acme"),
        ("\ud800", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("x" * 11, "x" * 9 + "…"),
        ("\x00 ", None),
        ("", None),
    ],
    ids=repr,
)
def test_foreign_text_becomes_one_line_that_fits(sent: str, kept: str | None) -> None:
    assert clean(sent, 10) == kept


@given(any_text, st.integers(1, 40))
def test_kept_text_fits_and_can_be_stored_and_sent(sent: str, most: int) -> None:
    kept = clean(sent, most)
    if kept is not None:
        assert 0 < len(kept) <= most
        assert kept.encode()
        assert "\x00" not in kept
        assert kept == " ".join(kept.split())


@given(any_text, st.integers(1, 40))
def test_an_id_is_kept_as_it_stands_or_not_at_all(sent: str, most: int) -> None:
    kept = whole(sent, most)
    assert kept in {None, sent.strip()}
    if kept is not None:
        assert 0 < len(kept) <= most
        assert kept.encode()
