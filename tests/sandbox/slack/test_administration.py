"""The removal of installations and the deactivation of people, with their events."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_bolt.request.internals import extract_enterprise_id, extract_team_id
from slack_sdk.errors import SlackApiError

from bot.sandbox.slack import GRID, Directory, NotACommandError, SlackApp, SlackSandbox
from tests.sandbox.slack.installing import client_of, exchanged, installed, listening, served

Json = dict[str, Any]

APP = SlackApp(
    org_ready=True,
    scopes=frozenset({"commands", "chat:write", "im:write", "users:read"}),
    events=frozenset({"app_uninstalled", "tokens_revoked", "team_access_revoked", "user_change"}),
)
GO: Json = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    async with served(SlackSandbox(directory=Directory(app=APP))) as sandbox:
        yield sandbox


@pytest.fixture
async def grid() -> AsyncIterator[SlackSandbox]:
    async with served(SlackSandbox(directory=replace(GRID, app=APP), bot_token=None)) as sandbox:
        yield sandbox


def types_of(heard: list[Json]) -> list[str]:
    return [body["event"]["type"] for body in heard]


async def test_uninstalling_invalidates_the_token_and_sends_events(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = client_of(slack, http, slack.bot_token)
    async with listening(slack) as heard:
        told = await slack.uninstall()
    assert await refusal_of(client.auth_test()) == "account_inactive"
    assert types_of(heard) == [one.name for one in told] == ["tokens_revoked", "app_uninstalled"]
    assert heard[0]["event"]["tokens"] == {"oauth": [], "bot": ["U0BILLBOT"]}
    for body in heard:
        assert (extract_team_id(body), extract_enterprise_id(body)) == ("T0ACME", None)
        assert "authorizations" not in body
    assert (slack.installations, slack.bot_token) == ((), "")


async def test_the_two_uninstall_events_may_come_in_either_order(slack: SlackSandbox) -> None:
    async with listening(slack) as heard:
        await slack.uninstall("T0ACME", tokens_first=False)
    assert types_of(heard) == ["app_uninstalled", "tokens_revoked"]


async def test_an_event_without_a_subscription_is_not_sent(http: aiohttp.ClientSession) -> None:
    app = replace(APP, events=frozenset({"app_uninstalled"}))
    async with served(SlackSandbox(directory=Directory(app=app))) as slack, listening(slack) as heard:
        client = client_of(slack, http, slack.bot_token)
        assert await slack.deactivate("U0ADA") is None
        assert await slack.revoke_token() is None
        assert await refusal_of(client.auth_test()) == "token_revoked"
        await slack.uninstall()
    assert types_of(heard) == ["app_uninstalled"]


async def test_after_uninstalling_people_do_not_reach_the_app(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = client_of(slack, http, slack.bot_token)
    await client.chat_postMessage(channel="U0ADA", text="x", blocks=[GO])
    await client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": [GO]})
    async with listening(slack) as heard:
        await slack.command("U0ADA", "/billing")
        modal = {"type": "modal", "title": {"type": "plain_text", "text": "Add"}, "blocks": []}
        await client.views_open(trigger_id=heard[0]["trigger_id"], view=modal)
        await slack.uninstall()
        del heard[:]
        with pytest.raises(NotACommandError):
            await slack.command("U0ADA", "/billing")
        assert slack.home("U0ADA") is None
        late = await slack.submit("U0ADA")
        click = await slack.click("U0ADA", "go")
    assert heard == []
    assert (click.error, click.status) == ("This app is not installed any more.", None)
    assert late.error == "We had some trouble connecting. Try again?"


async def test_uninstalling_one_workspace_leaves_the_others(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    other = await installed(slack, http, "T0OTHER")
    async with listening(slack) as heard:
        await slack.uninstall("T0OTHER")
    assert {extract_team_id(body) for body in heard} == {"T0OTHER"}
    assert heard[0]["event"]["tokens"]["bot"] == ["U0BILLBOTOTHER"]
    assert await refusal_of(other.auth_test()) == "account_inactive"
    assert (await client_of(slack, http, slack.bot_token).auth_test())["ok"]
    with pytest.raises(LookupError, match="not installed in T0OTHER"):
        await slack.uninstall("T0OTHER")


async def test_reinstalling_gives_a_new_token_and_the_same_bot(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    before = slack.bot_token
    async with listening(slack):
        await slack.uninstall()
    answer = await exchanged(slack, http, slack.install("T0ACME"))
    assert answer["access_token"] == slack.bot_token
    assert (answer["access_token"] != before, answer["bot_user_id"]) == (True, "U0BILLBOT")
    assert await refusal_of(client_of(slack, http, before).auth_test()) == "account_inactive"


async def test_a_revoked_token_leaves_the_app_installed(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    before = slack.bot_token
    async with listening(slack) as heard:
        await slack.revoke_token()
        await slack.command("U0ADA", "/billing")
    assert heard[0]["event"]["type"] == "tokens_revoked"
    assert heard[1]["command"] == "/billing"
    assert await refusal_of(client_of(slack, http, before).auth_test()) == "token_revoked"
    answer = await exchanged(slack, http, slack.install("T0ACME"))
    assert answer["access_token"] != before


async def test_an_organization_uninstalls_for_all_its_workspaces(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = await installed(grid, http, "T0NORTH", org=True)
    async with listening(grid) as heard:
        await grid.uninstall("E0GRID")
        with pytest.raises(NotACommandError):
            await grid.command("W0KATE", "/billing")
    for body in heard:
        assert (extract_team_id(body), extract_enterprise_id(body)) == (None, "E0GRID")
    assert await refusal_of(client.auth_test()) == "account_inactive"


async def test_one_workspace_can_be_removed_from_an_org_wide_installation(
    grid: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = await installed(grid, http, "T0NORTH", org=True)
    await client.chat_postMessage(channel="W0KATE", text="x", blocks=[GO])
    async with listening(grid) as heard:
        await grid.revoke_team_access("T0SOUTH")
        click = await grid.click("W0KATE", "go")
        with pytest.raises(NotACommandError):
            await grid.command("W0KATE", "/billing", channel="C0SOUTH")
        await grid.command("W0MARY", "/billing")
    assert heard[0]["event"]["type"] == "team_access_revoked"
    assert heard[0]["event"]["team_ids"] == ["T0SOUTH"]
    assert (extract_team_id(heard[0]), extract_enterprise_id(heard[0])) == (None, "E0GRID")
    assert click.error == "This app is not installed any more."
    assert await refusal_of(client.conversations_open(users="W0KATE")) == "user_not_found"
    assert (await client.conversations_open(users="W0MARY"))["ok"]
    with pytest.raises(LookupError, match="no org-wide installation reaches T0SOUTH"):
        await grid.revoke_team_access("T0SOUTH")


async def test_deactivation_sends_user_change_and_blocks_the_person(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    async with listening(slack) as heard:
        await slack.deactivate("U0ADA")
    (body,) = heard
    assert (body["event"]["type"], body["team_id"]) == ("user_change", "T0ACME")
    user = body["event"]["user"]
    assert (user["id"], user["team_id"], user["deleted"]) == ("U0ADA", "T0ACME", True)
    client = client_of(slack, http, slack.bot_token)
    assert (await client.users_info(user="U0ADA"))["user"]["deleted"] is True
    for action in (slack.command("U0ADA", "/billing"), slack.say("U0ADA", "x"), slack.open_home("U0ADA")):
        with pytest.raises(LookupError, match="U0ADA is deactivated"):
            await action
    with pytest.raises(LookupError, match="nobody here is U0NOBODY"):
        await slack.deactivate("U0NOBODY")


async def test_a_deactivated_persons_dm_cannot_be_opened_but_remains(
    slack: SlackSandbox, http: aiohttp.ClientSession
) -> None:
    client = client_of(slack, http, slack.bot_token)
    async with listening(slack):
        await slack.deactivate("U0ADA")
    assert await refusal_of(client.conversations_open(users="U0ADA")) == "user_disabled"
    whisper = client.chat_postEphemeral(channel="C0BILLING", user="U0ADA", text="x")
    assert await refusal_of(whisper) == "user_not_in_channel"
    # Slack accepts the message.
    assert (await client.chat_postMessage(channel=slack.dm("U0ADA"), text="x"))["ok"]


async def test_user_change_requires_the_users_read_scope(http: aiohttp.ClientSession) -> None:
    app = replace(APP, scopes=APP.scopes - {"users:read"})
    async with served(SlackSandbox(directory=Directory(app=app))) as slack, listening(slack) as heard:
        assert await slack.deactivate("U0ADA") is None
        client = client_of(slack, http, slack.bot_token)
        assert await refusal_of(client.conversations_open(users="U0ADA")) == "user_disabled"
    assert heard == []
