"""Each screen as a whole: blocks and text. `make golden` writes them anew; then read the difference."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bot.sandbox.slack.validation import validate_blocks, validate_view
from tests.support.catalogue import SCREENS, SECTIONS, Screen
from tests.support.reading import page

GOLDEN = Path(__file__).parent / "golden"
COPY = Path(__file__).parents[2] / "docs" / "copy.md"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))

each_screen = pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)


@each_screen
def test_the_screen_is_as_it_was_approved(screen: Screen) -> None:
    path = GOLDEN / f"{screen.name}.json"
    written = json.dumps(screen.json, indent=1, ensure_ascii=False) + "\n"
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(written)
    assert path.read_text() == written


@each_screen
def test_slack_would_take_the_screen(screen: Screen) -> None:
    if "text" in screen.json:
        assert validate_blocks(screen.json["blocks"]) is None
    else:
        assert validate_view(screen.json) is None


@pytest.mark.behavior(10)
@each_screen
def test_no_screen_speaks_of_credits_or_scopes(screen: Screen) -> None:
    shown = json.dumps(screen.json)
    assert "credit" not in shown.lower()
    assert "billing:manage" not in shown


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {screen.name for screen in SCREENS}


def test_every_word_is_in_the_page_of_copy() -> None:
    written = page(SECTIONS)
    if UPDATE:
        COPY.write_text(written)
    assert COPY.read_text() == written
