"""No button, choice, submission or closing without somebody who answers it."""

from __future__ import annotations

import json
import re

import pytest

from blocks import ids
from handlers.registry import SUBCOMMANDS
from handlers.slash import near_miss
from tests.support.catalogue import SCREENS, Screen

ACTIONS = {ids.GO_ON, ids.MORE, ids.SHOW_HELP} | {action for row in SUBCOMMANDS for action in row.actions}
SUBMISSIONS = {view for row in SUBCOMMANDS for view in row.submissions}
CLOSINGS = {view for row in SUBCOMMANDS for view in row.closings}


@pytest.mark.behavior(61)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_everything_on_a_screen_is_answered(screen: Screen) -> None:
    heard = [block for block in screen.json["blocks"] if block["type"] != "input"]
    assert set(re.findall(r'"action_id": "([^"]+)"', json.dumps(heard))) <= ACTIONS
    if "submit" in screen.json:
        assert screen.json["callback_id"] in SUBMISSIONS
    if screen.json.get("notify_on_close"):
        assert screen.json["callback_id"] in CLOSINGS


def test_every_listener_is_somewhere_on_a_screen() -> None:
    shown = json.dumps([screen.json for screen in SCREENS])
    unseen = {action for action in ACTIONS if f'"{action}"' not in shown}
    # The page before is only there on later pages, which no screen of the catalogue is.
    plans = {action for action in ACTIONS if action.startswith(ids.OPEN_PLAN)}
    assert unseen - plans == {f"{ids.HISTORY_PAGE}_newer"}
    assert plans - unseen


def test_no_id_is_answered_twice() -> None:
    for listeners in ("actions", "submissions", "closings"):
        found = [id_ for row in SUBCOMMANDS for id_ in getattr(row, listeners)]
        assert len(found) == len(set(found))


def test_no_word_means_two_subcommands() -> None:
    words = [word for row in SUBCOMMANDS for word in (row.name, *row.also)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("word", ["", "xyzzy", "1234", "b" * 300])
def test_what_is_near_nothing_gets_no_guess(word: str) -> None:
    assert near_miss(word) is None
