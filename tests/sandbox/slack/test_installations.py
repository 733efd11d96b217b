"""Several installations: the access of each token and the fields of each payload."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import pytest
from slack_bolt.request.internals import (
    extract_enterprise_id,
    extract_is_enterprise_install,
    extract_team_id,
)
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import GRID, Channel, Directory, NotACommandError, SlackApp, SlackSandbox
from tests.sandbox.slack.installing import client_of, exchanged, installed, listening, served

Json = dict[str, Any]

MODAL: Json = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Add funds"},
    "blocks": [],
    "callback_id": "buy",
    "notify_on_close": True,
}
GO: Json = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}
HOME: Json = {"type": "home", "blocks": [GO]}
APP = SlackApp(
    org_ready=True,
    scopes=frozenset({"commands", "chat:write", "im:history", "im:write", "users:read"}),
    events=frozenset({"app_home_opened", "message.im"}),
)
THEIRS = Channel(id="C0THEIRS", name="theirs", members=frozenset({"U0STRANGER"}))
TWO = Directory(channels=(*Directory().channels, THEIRS), app=APP)
ORGANISATION = Directory(teams=GRID.teams, people=GRID.people, channels=GRID.channels, app=APP)


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
async def two() -> AsyncIterator[SlackSandbox]:
    """Yield a sandbox in which only Acme has the app."""
    async with served(SlackSandbox(directory=TWO)) as sandbox:
        yield sandbox


@pytest.fixture
async def grid() -> AsyncIterator[SlackSandbox]:
    """Yield an organization of two workspaces without an installation."""
    async with served(SlackSandbox(directory=ORGANISATION, bot_token=None)) as sandbox:
        yield sandbox


@pytest.fixture
def acme(two: SlackSandbox, http: aiohttp.ClientSession) -> AsyncWebClient:
    return client_of(two, http, two.bot_token)


async def test_auth_test_describes_each_tokens_workspace(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    answers = [await client.auth_test() for client in (acme, other)]
    told = [(one["team_id"], one["team"], one["user_id"], one["bot_id"]) for one in answers]
    assert told == [
        ("T0ACME", "Acme Research", "U0BILLBOT", "B0BILLING"),
        ("T0OTHER", "Other Labs", "U0BILLBOTOTHER", "B0BILLINGOTHER"),
    ]
    assert [one.id for one in two.installations] == ["T0ACME", "T0OTHER"]
    assert two.api_calls[-1].installation == "T0OTHER"


async def test_scopes_are_those_of_the_token(two: SlackSandbox, http: aiohttp.ClientSession) -> None:
    answer = await exchanged(two, http, two.install("T0OTHER", scopes=["commands"]))
    client = client_of(two, http, answer["access_token"])
    assert (await client.auth_test()).headers["x-oauth-scopes"] == "commands"
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="U0STRANGER", text="x")
    refusal = caught.value.response
    assert (refusal["error"], refusal["needed"], refusal["provided"]) == (
        "missing_scope",
        "chat:write",
        "commands",
    )


async def test_a_token_reaches_its_own_people_only(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    for client, foreigner in ((acme, "U0STRANGER"), (other, "U0ADA")):
        assert await refusal_of(client.conversations_open(users=foreigner)) == "user_not_found"
        assert await refusal_of(client.views_publish(user_id=foreigner, view=HOME)) == "user_not_found"
        for channel in (foreigner, two.dm(foreigner)):
            call = client.chat_postMessage(channel=channel, text="x")
            assert await refusal_of(call) == "channel_not_found"
    assert (await other.conversations_open(users="U0STRANGER"))["channel"]["id"] == two.dm("U0STRANGER")


async def test_a_token_sees_its_own_channels_and_shared_ones(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    assert await refusal_of(other.chat_postMessage(channel="C0BILLING", text="x")) == "channel_not_found"
    assert await refusal_of(acme.chat_postMessage(channel="C0THEIRS", text="x")) == "channel_not_found"
    assert (await other.chat_postMessage(channel="C0SHARED", text="x"))["ok"]
    assert (await acme.chat_postMessage(channel="C0SHARED", text="x"))["ok"]
    assert [one["user"] for one in two.messages("C0SHARED")] == ["U0BILLBOTOTHER", "U0BILLBOT"]
    assert [one["team"] for one in two.messages("C0SHARED")] == ["T0OTHER", "T0ACME"]


async def test_each_bot_changes_its_own_messages_only(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    ts = (await acme.chat_postMessage(channel="C0SHARED", text="x"))["ts"]
    call = other.chat_update(channel="C0SHARED", ts=ts, text="y")
    assert await refusal_of(call) == "cant_update_message"


async def test_people_of_a_shared_channel_can_be_looked_up(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    await installed(two, http, "T0OTHER")
    stranger = (await acme.users_info(user="U0STRANGER"))["user"]
    assert (stranger["is_stranger"], stranger["team_id"]) == (True, "T0OTHER")
    assert (await acme.users_info(user="U0ADA"))["user"]["is_stranger"] is False


async def test_a_trigger_belongs_to_the_installation_that_got_it(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    async with listening(two) as heard:
        await two.command("U0STRANGER", "/billing", channel="C0SHARED")
    trigger_id = heard[0]["trigger_id"]
    opening = acme.views_open(trigger_id=trigger_id, view=MODAL)
    assert await refusal_of(opening) == "invalid_trigger_id"
    view = (await other.views_open(trigger_id=trigger_id, view=MODAL))["view"]
    assert (view["team_id"], view["app_installed_team_id"]) == ("T0OTHER", "T0OTHER")
    assert await refusal_of(acme.views_update(view_id=view["id"], view=MODAL)) == "not_found"
    assert (await other.views_update(view_id=view["id"], view=MODAL))["ok"]


async def test_an_external_id_is_unique_within_an_installation(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    other = await installed(two, http, "T0OTHER")
    named = {**HOME, "external_id": "home"}
    assert (await acme.views_publish(user_id="U0ADA", view=named))["ok"]
    assert (await other.views_publish(user_id="U0STRANGER", view=named))["ok"]
    twice = acme.views_publish(user_id="U0GRACE", view=named)
    assert await refusal_of(twice) == "duplicate_external_id"
    assert (await other.views_update(external_id="home", view=named))["view"]["bot_id"] == "B0BILLINGOTHER"


async def test_a_payload_carries_the_workspace_whose_person_acts(
    two: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    other = await installed(two, http, "T0OTHER")
    await other.chat_postMessage(channel="U0STRANGER", text="x", blocks=[GO])
    async with listening(two) as heard:
        await two.command("U0STRANGER", "/billing", channel="C0THEIRS")
        await two.click("U0STRANGER", "go")
        await two.open_home("U0STRANGER")
        await two.say("U0STRANGER", "hello")
    assert [extract_team_id(body) for body in heard] == ["T0OTHER"] * 4
    assert heard[0]["team_id"] == "T0OTHER"
    assert heard[1]["team"] == {"id": "T0OTHER", "domain": "other-labs"}
    (authorization,) = heard[2]["authorizations"]
    assert (authorization["team_id"], authorization["user_id"]) == ("T0OTHER", "U0BILLBOTOTHER")


async def test_a_click_goes_to_the_installation_that_posted_the_message(
    two: SlackSandbox, http: aiohttp.ClientSession, acme: AsyncWebClient
) -> None:
    await installed(two, http, "T0OTHER")
    await acme.chat_postMessage(channel="C0SHARED", text="x", blocks=[GO])
    async with listening(two) as heard:
        await two.click("U0STRANGER", "go")
    assert (heard[0]["team"]["id"], heard[0]["user"]["team_id"]) == ("T0ACME", "T0OTHER")
    assert (await acme.views_open(trigger_id=heard[0]["trigger_id"], view=MODAL))["ok"]


async def test_a_response_url_answers_as_the_bot_of_its_workspace(
    two: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    await installed(two, http, "T0OTHER")
    async with listening(two) as heard:
        await two.command("U0STRANGER", "/billing", channel="C0THEIRS")
    async with http.post(heard[0]["response_url"], json={"text": "hello"}) as response:
        assert response.status == 200
    assert two.ephemerals("U0STRANGER")[0]["bot_id"] == "B0BILLINGOTHER"


async def test_a_person_of_another_team_uses_the_home_installation_in_a_shared_channel(
    two: SlackSandbox,
) -> None:
    async with listening(two) as heard:
        await two.command("U0STRANGER", "/billing", channel="C0SHARED")
        with pytest.raises(NotACommandError):
            await two.command("U0STRANGER", "/billing", channel="C0THEIRS")
    assert len(heard) == 1


async def test_the_app_is_absent_where_it_is_not_installed(grid: SlackSandbox) -> None:
    assert (grid.installations, grid.bot_token) == ((), "")
    with pytest.raises(NotACommandError, match="/billing is not a valid command"):
        await grid.command("W0MARY", "/billing")
    await grid.say("W0MARY", "anybody here?")
    assert await grid.open_home("W0MARY") is None
    assert grid.deliveries == []


async def all_kinds(grid: SlackSandbox, client: AsyncWebClient, user: str) -> dict[str, Json]:
    """Return one payload of each kind, by kind."""
    await client.chat_postMessage(channel=user, text="x", blocks=[GO])
    async with listening(grid) as heard:
        await grid.command(user, "/billing")
        await client.views_open(trigger_id=heard[0]["trigger_id"], view=MODAL)
        await grid.submit(user)
        await grid.click(user, "go")
        await client.views_open(trigger_id=heard[-1]["trigger_id"], view=MODAL)
        await grid.close(user)
        await grid.open_home(user)
    kinds = ("command", "view_submission", "block_actions", "view_closed", "event")
    assert len(heard) == len(kinds)
    return dict(zip(kinds, heard, strict=True))


async def test_payloads_of_a_grid_workspace_have_the_enterprise(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = await installed(grid, http, "T0SOUTH")
    answer = await client.auth_test()
    assert (answer["team_id"], answer["enterprise_id"]) == ("T0SOUTH", "E0GRID")
    assert answer["is_enterprise_install"] is False
    payloads = await all_kinds(grid, client, "W0KATE")
    for payload in payloads.values():
        assert extract_team_id(payload) == "T0SOUTH"
        assert extract_enterprise_id(payload) == "E0GRID"
        assert extract_is_enterprise_install(payload) is False
    command = payloads["command"]
    assert (command["enterprise_id"], command["enterprise_name"]) == ("E0GRID", "Grid Works")
    assert command["is_enterprise_install"] == "false"
    assert payloads["block_actions"]["team"] == {
        "id": "T0SOUTH",
        "domain": "grid-south",
        "enterprise_id": "E0GRID",
        "enterprise_name": "Grid Works",
    }
    assert payloads["block_actions"]["enterprise"] == {"id": "E0GRID", "name": "Grid Works"}
    assert payloads["event"]["enterprise_id"] == "E0GRID"


async def test_an_org_wide_installation_serves_every_workspace(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    answer = await exchanged(grid, http, grid.install("T0NORTH", org=True))
    assert (answer["team"], answer["is_enterprise_install"]) == (None, True)
    assert answer["enterprise"] == {"id": "E0GRID", "name": "Grid Works"}
    client = client_of(grid, http, answer["access_token"])
    who = await client.auth_test()
    assert (who["team_id"], who["enterprise_id"]) == ("E0GRID", "E0GRID")
    assert (who["is_enterprise_install"], who["user_id"]) == (True, answer["bot_user_id"])
    for user, team in (("W0MARY", "T0NORTH"), ("W0KATE", "T0SOUTH")):
        payloads = await all_kinds(grid, client, user)
        for payload in payloads.values():
            assert extract_enterprise_id(payload) == "E0GRID"
            assert extract_is_enterprise_install(payload) is True
        assert payloads["command"]["team_id"] == team
        assert payloads["command"]["is_enterprise_install"] == "true"
        assert payloads["block_actions"]["team"] is None
        assert payloads["block_actions"]["user"]["team_id"] == team
        view = payloads["view_submission"]["view"]
        assert (view["team_id"], view["app_installed_team_id"]) == (team, "E0GRID")
        assert payloads["event"]["team_id"] == team
        (authorization,) = payloads["event"]["authorizations"]
        assert authorization == {
            "enterprise_id": "E0GRID",
            "team_id": None,
            "user_id": answer["bot_user_id"],
            "is_bot": True,
            "is_enterprise_install": True,
        }


async def test_a_workspaces_own_installation_comes_before_an_org_wide_one(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    await installed(grid, http, "T0NORTH", org=True)
    await installed(grid, http, "T0SOUTH")
    async with listening(grid) as heard:
        await grid.command("W0MARY", "/billing")
        await grid.command("W0KATE", "/billing")
    assert [body["is_enterprise_install"] for body in heard] == ["true", "false"]


async def test_a_person_in_a_workspace_without_the_app_does_not_see_it(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = await installed(grid, http, "T0NORTH")
    async with listening(grid) as heard:
        with pytest.raises(NotACommandError):
            await grid.command("W0KATE", "/billing")
        await grid.command("W0MARY", "/billing")
    assert [body["team_id"] for body in heard] == ["T0NORTH"]
    assert await refusal_of(client.conversations_open(users="W0KATE")) == "user_not_found"


async def test_a_person_of_another_workspace_in_the_organization_is_no_stranger(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = await installed(grid, http, "T0NORTH")
    kate = (await client.users_info(user="W0KATE"))["user"]
    assert (kate["is_stranger"], kate["enterprise_user"]["enterprise_id"]) == (False, "E0GRID")
    assert kate["enterprise_user"]["teams"] == ["T0SOUTH"]
