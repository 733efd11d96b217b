"""Garbage gets no 500 and no traceback, and changes nothing: neither from strangers nor well signed."""

from __future__ import annotations

import copy
import json
import os
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.storage.tables import charges, links, locks
from handlers.registry import SUBCOMMANDS
from tests.fuzz.targets import NAMES, TARGETS
from tests.support.house import ADA, TEAM, House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
named = st.sampled_from(NAMES)
objects = st.dictionaries(named | st.text(max_size=12), json_values, max_size=6)
slow = settings(
    deadline=None,
    max_examples=10 if os.environ.get("QUICK") else 60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
people = count()

ACTIONS = sorted({action for row in SUBCOMMANDS for action in row.actions})
VIEWS = sorted({view for row in SUBCOMMANDS for view in (*row.submissions, *row.closings)})


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.binary() | objects.map(lambda made: json.dumps(made).encode()) | st.text().map(str.encode))
def test_no_bytes_break_what_reads_them(name: str, data: bytes) -> None:
    TARGETS[name](data)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, worker=False) as made:
        yield made


async def money(house: House) -> dict[str, list[Any]]:
    """Everything that garbage must not change."""
    async with house.app.runtime.database.transaction() as connection:
        return {
            table.name: list(await connection.execute(select(table))) for table in (charges, links, locks)
        }


async def harmless(house: House, body: str, content_type: str) -> None:
    """Send it well signed: no 500, nothing of our insides, nothing changed."""
    before = await money(house)
    with structlog.testing.capture_logs() as said:
        answer = await house.send_signed(body, content_type=content_type)
        await house.app.runtime.open_requests.finish(5)
    assert [each for each in said if each["event"] == "request.failed"] == []
    assert answer.status in {200, 400, 404}
    assert "Traceback" not in str(answer.response)
    assert await money(house) == before
    assert house.portal.charge_posts == []


def changed(payload: dict[str, Any], path: list[int], value: Any) -> dict[str, Any]:
    """The payload with something else in one of its places."""
    made = copy.deepcopy(payload)
    place: Any = made
    for step in path:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if not isinstance(place[key], dict | list) or step == path[-1]:
            place[key] = value
            break
        place = place[key]
    return made


def someone() -> dict[str, str]:
    """A person who has not asked before, so that no pace holds them up."""
    return {"id": f"U{next(people):06}", "team_id": TEAM}


FORM = "application/x-www-form-urlencoded"
paths = st.lists(st.integers(0, 12), min_size=1, max_size=5)


@slow
@given(body=st.binary(max_size=200).map(lambda made: made.decode("latin-1")))
@pytest.mark.parametrize("content_type", [FORM, "application/json", "text/plain", ""])
async def test_signed_noise_is_harmless(house: House, body: str, content_type: str) -> None:
    await harmless(house, body, content_type)


@slow
@given(body=objects)
async def test_any_signed_object_is_harmless(house: House, body: dict[str, Any]) -> None:
    await harmless(house, json.dumps(body), "application/json")
    await harmless(house, urlencode({"payload": json.dumps(body)}), FORM)


@slow
@given(text=st.text(max_size=60))
async def test_whatever_is_typed_is_answered_and_spends_nothing(house: House, text: str) -> None:
    who = someone()
    fields = {"command": "/billing", "text": text, "team_id": TEAM, "user_id": who["id"]}
    await harmless(house, urlencode(fields), FORM)


@slow
@given(action=st.sampled_from(ACTIONS), path=paths, value=json_values)
@example(action="amount_preset", path=[5], value=None)
@example(action="add_funds", path=[12, 0], value="")
async def test_a_click_with_a_strange_payload_is_harmless(
    house: House, action: str, path: list[int], value: Any
) -> None:
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": someone(),
        "actions": [{"action_id": action, "block_id": "b", "value": "v", "type": "button"}],
        "container": {"type": "message", "is_ephemeral": True},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": "amount",
            "private_metadata": "",
            "blocks": [],
        },
        "trigger_id": "1.2",
    }
    await harmless(house, urlencode({"payload": json.dumps(changed(payload, path, value))}), FORM)


@slow
@given(view=st.sampled_from(VIEWS), metadata=st.text(max_size=60), path=paths, value=json_values)
@example(view="amount", metadata="", path=[3, 4], value={})
@pytest.mark.parametrize("kind", ["view_submission", "view_closed"])
async def test_a_modal_with_a_strange_state_is_harmless(
    house: House, kind: str, view: str, metadata: str, path: list[int], value: Any
) -> None:
    payload = {
        "type": kind,
        "team": {"id": TEAM},
        "user": someone(),
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": view,
            "private_metadata": metadata,
            "state": {"values": {"amount_custom": {"x": {"type": "plain_text_input", "value": "50"}}}},
            "blocks": [{"type": "input", "block_id": "amount_custom"}],
        },
    }
    await harmless(house, urlencode({"payload": json.dumps(changed(payload, path, value))}), FORM)


@slow
@given(path=paths, value=json_values)
@pytest.mark.parametrize("kind", ["app_home_opened", "app_uninstalled", "tokens_revoked", "user_change"])
async def test_an_event_with_a_strange_shape_is_harmless(
    house: House, kind: str, path: list[int], value: Any
) -> None:
    event = {
        "type": "event_callback",
        "team_id": TEAM,
        "event_id": "Ev1",
        "event": {"type": kind, "user": someone()["id"], "tokens": {"bot": ["U0BOT"]}},
        "authorizations": [{"team_id": TEAM, "enterprise_id": None}],
    }
    await house.link(ADA)
    await harmless(house, json.dumps(changed(event, path, value)), "application/json")
