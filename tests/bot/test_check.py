"""`billing-bot check`: each wrong setting is found against real servers, and said with how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from bot.check import AuditHead, check
from bot.runtime import open_runtime
from bot.sandbox.portal import Fault, PortalSandbox
from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.directory import Directory, SlackApp
from bot.storage.cipher import generate_key
from bot.storage.schema import migrate
from tests.support.house import make_settings, make_slack, store_link
from tests.support.postgresql import new_database
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    from bot.settings import Settings

Servers = tuple[PortalSandbox, SlackSandbox]


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[Servers]:
    portal, slack = PortalSandbox(seed=1), make_slack()
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        yield portal, slack


@pytest_asyncio.fixture
async def settings(servers: Servers, tmp_path: Path) -> Settings:
    """Settings that are right, with somebody connected."""
    made = make_settings(*servers, f"sqlite:///{tmp_path / 'check.db'}")
    async with open_runtime(made, wake=lambda *_kinds: None) as runtime:
        await migrate(runtime.database, CIPHER)
        await store_link(runtime, servers[0])
    return made


async def wrong(settings: Settings, **changed: Any) -> list[str]:
    """What is said to be wrong with settings that were changed."""
    findings = await check(settings.model_copy(update=changed))
    return [finding.words for finding in findings if not finding.good]


@pytest.mark.parametrize("place", ["/proc/there/billing.db", "{file}/billing.db", "{folder}/" + "x" * 300])
async def test_check_names_a_database_that_cannot_be_made(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    path = place.format(file=tmp_path / "file", folder=tmp_path)
    (words,) = await wrong(settings, database_url=f"sqlite:///{path}")
    assert words.startswith("DATABASE_URL: the database's folder")
    assert "cannot be written" in words


async def test_check_accepts_a_folder_that_will_be_made(settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'folder' / 'billing.db'}"
    assert await wrong(settings, database_url=url) == []
    assert not (tmp_path / "new").exists()


async def test_check_names_a_client_that_the_portal_refuses(settings: Settings, servers: Servers) -> None:
    servers[0].fail("/api/oauth/device/code", Fault(status=400, body='{"error": "invalid_scope"}'))
    (words,) = await wrong(settings)
    assert "grants hermes-cli no login (invalid_scope)" in words


async def test_check_finds_nothing_wrong_with_right_settings(settings: Settings) -> None:
    said = [finding.words for finding in await check(settings)]
    assert await wrong(settings) == []
    assert [line.partition(":")[0] for line in said] == [
        "Rules",
        "Connections",
        "Slack",
        "Portal",
        "Database",
    ]


async def test_each_wrong_setting_is_named(settings: Settings) -> None:
    nowhere = "http://127.0.0.1:9/"
    changes: list[tuple[dict[str, object], str]] = [
        ({"slack_signing_secret": SecretStr("shh")}, "SLACK_SIGNING_SECRET: it is not 32 hexadecimal"),
        ({"slack_bot_token": SecretStr("xoxb-wrong")}, "SLACK_BOT_TOKEN: Slack does not accept it"),
        ({"slack_api_url": nowhere}, "SLACK_API_URL: Slack cannot be reached"),
        ({"hermes_portal_base_url": nowhere}, f"Portal: {nowhere.rstrip('/')} gives no usable answer"),
        ({"billing_bot_keys": (SecretStr(generate_key()),)}, "BILLING_BOT_KEYS: 1 stored connections"),
        ({"database_url": "postgresql://127.0.0.1:9/x"}, "DATABASE_URL: the database cannot be used"),
    ]
    for changed, words in changes:
        said = await wrong(settings, **changed)
        assert len(said) == 1
        assert said[0].startswith(words)


async def test_with_many_workspaces_the_client_is_tried(settings: Settings) -> None:
    many = {"slack_bot_token": None, "slack_client_id": "1111.2222"}
    good = {**many, "slack_client_secret": SecretStr("sandbox-client-secret")}
    assert await wrong(settings, **good) == []
    changes: list[tuple[dict[str, object], str]] = [
        ({**good, "slack_client_id": "3333.4444"}, "SLACK_CLIENT_ID: Slack does not know it"),
        ({**many, "slack_client_secret": SecretStr("x")}, "SLACK_CLIENT_SECRET: Slack does not accept it"),
    ]
    for changed, words in changes:
        (said,) = await wrong(settings, **changed)
        assert said.startswith(words)


async def test_the_app_level_token_is_tried_where_there_is_one(settings: Settings) -> None:
    (said,) = await wrong(settings, slack_app_token=SecretStr("xapp-wrong"))
    assert said.startswith("SLACK_APP_TOKEN: Slack does not accept it (invalid_auth)")


async def test_a_missing_scope_is_named_with_where_to_add_it(settings: Settings) -> None:
    app = replace(SlackApp(), scopes=frozenset({"commands", "chat:write"}))
    slack = make_slack(Directory(app=app))
    async with serve(slack.app) as url:
        (said,) = await wrong(settings, slack_api_url=f"{url}/api/")
    assert said.startswith(
        "Slack: the app lacks im:write, im:history, users:read; add them under OAuth & Permissions"
    )


@pytest.mark.postgresql
async def test_a_database_without_the_schema_is_told_how_to_get_it(
    settings: Settings, postgresql_server: str
) -> None:
    async with new_database(postgresql_server) as url:
        said = await wrong(settings, database_url=url)
    assert said == ["Database: it has not the newest schema; run `billing-bot migrate`"]


async def test_check_makes_no_database(settings: Settings, tmp_path: Path) -> None:
    findings = await check(settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'new.db'}"}))
    assert findings[-1].words == "Database: not there yet; `billing-bot serve` makes it"
    assert not (tmp_path / "new.db").exists()


async def test_scopes_that_a_proxy_has_taken_from_the_answer_are_unknown_and_not_missing(
    settings: Settings,
) -> None:
    slack = make_slack()

    async def behind_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        async def strip(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0].lower() != b"x-oauth-scopes"]
                message = {**message, "headers": kept}
            await send(message)

        await slack.app(scope, receive, strip)

    async with serve(behind_proxy) as url:
        assert await wrong(settings, slack_api_url=f"{url}/api/") == []


async def test_an_audit_head_cannot_be_in_a_database_that_is_not_there(
    settings: Settings, tmp_path: Path
) -> None:
    absent = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'absent.db'}"})
    found = await check(absent, AuditHead.read(f"7:{'ab' * 32}"))
    assert [each.words for each in found if not each.good] == [
        "Audit log: there is no database that could have the entry"
    ]
