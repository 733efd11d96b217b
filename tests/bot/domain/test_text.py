from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.text import clean, whole

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
        ("card\u00a0\u2003st", "card st"),
        ("a\u202eb\u200bc\ufeff\u2060", "abc"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("\U0001f469\ufe0f\u200d\U0001f52c", "\U0001f469\ufe0f\u200d\U0001f52c"),
        ("a\u200db", "ab"),
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
        assert not {unicodedata.category(sign) for sign in kept.replace("\u200d", "")} & {"Cc", "Cf"}
        assert kept == " ".join(kept.split())


@given(any_text, st.integers(1, 40))
def test_an_id_is_kept_as_it_stands_or_not_at_all(sent: str, most: int) -> None:
    kept = whole(sent, most)
    assert kept in {None, sent.strip()}
    if kept is not None:
        assert 0 < len(kept) <= most
        assert kept.encode()
