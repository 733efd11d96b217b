from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.installation import Installation
from bot.slack.request import identity_of, place_of

ADA = "U0ADA"


def installation(*, enterprise: str = "", team: str = "T0ACME") -> Installation:
    return Installation(
        enterprise=enterprise,
        team=team,
        name="Acme",
        bot_user="U0BOT",
        scopes="commands",
        token="xoxb-1",
        installed_by=ADA,
        installed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def known_as(found: Installation, body: dict[str, Any]) -> str | None:
    """The key under which who sent this is known, None for somebody who does not belong there."""
    member = found.member(identity_of(body), place_of(body))
    return None if member is None else member.key


@pytest.mark.behavior(62)
@pytest.mark.parametrize(
    "body",
    [
        {"user_id": ADA, "team_id": "T0ACME", "enterprise_id": "E0GRID"},
        {"user": {"id": ADA, "team_id": "T0ACME"}, "team": {"id": "T0ACME"}, "enterprise": None},
        {"team_id": "E0GRID", "event": {"user": ADA}},
    ],
    ids=["command", "submission", "event"],
)
@pytest.mark.parametrize("team", ["T0ACME", ""], ids=["workspace", "organization"])
def test_on_a_grid_every_kind_of_request_finds_the_same_person(body: dict[str, Any], team: str) -> None:
    if not team:
        body = {**body, "enterprise": {"id": "E0GRID"}, "enterprise_id": "E0GRID"}
    assert known_as(installation(enterprise="E0GRID", team=team), body) == f"E0GRID:{ADA}"


@pytest.mark.parametrize(
    "body",
    [
        {"user": {"id": ADA, "team_id": "T0OTHER"}, "team": {"id": "T0ACME"}},
        {
            "user": {"id": ADA, "team_id": "T0OTHER"},
            "enterprise": {"id": "E0GRID"},
            "team": {"id": "T0ACME"},
        },
        {"user_id": ADA, "team_id": "T0OTHER"},
        {"team_id": "T0OTHER", "event": {"user": ADA}},
        {"user": {"id": "U0BOT", "team_id": "T0ACME"}, "team": {"id": "T0ACME"}},
        {"team": {"id": "T0ACME"}},
        {"user_id": ADA},
    ],
    ids=["shared channel", "on a grid", "command", "event", "the app's own bot", "nobody", "no team"],
)
@pytest.mark.parametrize(
    "found", [installation(), installation(enterprise="E0GRID")], ids=["alone", "grid"]
)
def test_a_person_outside_the_workspace_is_a_stranger(body: dict[str, Any], found: Installation) -> None:
    assert known_as(found, body) is None


def test_people_of_another_enterprise_are_strangers_to_an_organizations_installation() -> None:
    org_wide = installation(enterprise="E0GRID", team="")
    assert known_as(org_wide, {"user_id": ADA, "team_id": "T0ELSE", "enterprise_id": "E0ELSE"}) is None
    assert known_as(org_wide, {"user_id": ADA, "team_id": "T0ELSE"}) is None
    click = {
        "user": {"id": ADA, "team_id": "T0ELSE"},
        "team": {"id": "T0ACME"},
        "enterprise": {"id": "E0GRID"},
    }
    assert known_as(org_wide, click) is None


def test_no_token_is_printed_with_an_installation() -> None:
    assert "xoxb-1" not in repr(installation())
