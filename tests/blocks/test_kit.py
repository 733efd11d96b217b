from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks import inputs, kit
from blocks.kit import LimitError, actions, button, escape, link, message, modal, moment, section


@given(st.text())
def test_escaped_words_cannot_mention_link_or_break_a_line(words: str) -> None:
    escaped = escape(words)
    assert "<" not in escaped
    assert ">" not in escaped
    assert "\n" not in escaped
    for part in escaped.split("&")[1:]:
        assert part.startswith(("amp;", "lt;", "gt;"))


def test_a_moment_is_told_in_the_readers_zone_and_in_utc_where_that_fails() -> None:
    when = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
    assert moment("Until", when) == (
        "<!date^1795356180^Until {date_short_pretty} at {time}|Until 2026-11-22 14:03 UTC>"
    )


@pytest.mark.parametrize("lead", ["<@U0ADA>", "a|b", "a^b"])
def test_words_cannot_break_out_of_a_moment(lead: str) -> None:
    with pytest.raises(ValueError, match="mention"):
        moment(lead, datetime(2026, 11, 22, tzinfo=UTC))


def test_a_link_cannot_be_broken_out_of() -> None:
    assert link("https://x/?a=|b>c", "a <b>") == "<https://x/?a=%7Cb%3Ec|a &lt;b&gt;>"


def test_a_messages_text_is_all_that_its_blocks_say() -> None:
    made = message(
        kit.header("Title"),
        kit.drawn("40% used", "███", picture="ring-12-plan"),
        kit.fields([("Total", "$50"), ("Card", "Visa")]),
        kit.context("small"),
        kit.divider(),
        kit.actions(kit.button("Open", "open", url="https://x"), kit.button("Act", "act")),
        None,
    )
    assert made.text == "*Title*\n40% used\nTotal: $50\nCard: Visa\nsmall\nOpen: https://x"
    assert len(made.blocks) == 6


@pytest.mark.parametrize(
    "make",
    [
        lambda: section("x" * 3001),
        lambda: kit.header("x" * 151),
        lambda: kit.button("x" * 76, "id"),
        lambda: modal("x" * 25, callback_id="c"),
        lambda: modal("t", callback_id="c", submit="x" * 25),
        lambda: modal("t", callback_id="c", private_metadata="x" * 3001),
        lambda: message(*[kit.divider()] * 51),
        lambda: modal("t", *[kit.divider()] * 101, callback_id="c"),
        lambda: inputs.radios("l", [(str(n), str(n)) for n in range(11)], block_id="b", action_id="a"),
        lambda: kit.fields([("n", "v")] * 11),
        lambda: kit.actions(*[kit.button("x", "id")] * 26),
    ],
)
def test_the_kit_refuses_what_slack_would_refuse(make: object) -> None:
    assert callable(make)
    with pytest.raises(LimitError):
        make()


def test_a_row_without_buttons_is_no_row() -> None:
    assert kit.actions(None, None) is None


def test_the_link_of_a_button_cannot_mention_anybody_in_the_spoken_text() -> None:
    spoken = actions(button("Pay <!here>", "pay", url="https://portal.example/?a=1&b=<!channel>"))
    assert spoken is not None
    assert spoken.spoken == "Pay &lt;!here&gt;: https://portal.example/?a=1&amp;b=&lt;!channel&gt;"
