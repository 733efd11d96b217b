from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.directory import GRID, Directory
from tests.installs.browser import Browser
from tests.support.house import DIRECTORY, SIGNING_SECRET, House, open_house
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CLIENT_ID = "1111.2222"
CLIENT_SECRET = "test-client-secret"


def oauth_slack(directory: Directory) -> SlackSandbox:
    """A Slack in which nothing is installed yet."""
    return SlackSandbox(
        signing_secret=SIGNING_SECRET,
        bot_token=None,
        directory=replace(directory, app=DIRECTORY.app),
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )


async def oauth_house(
    request: pytest.FixtureRequest, folder: Path, directory: Directory
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        changed: dict[str, Any] = {
            "slack_bot_token": None,
            "slack_client_id": CLIENT_ID,
            "slack_client_secret": SecretStr(CLIENT_SECRET),
        }
        if request.param == "postgresql":
            server, template = map(request.getfixturevalue, ["postgresql_server", "postgresql_template"])
            changed["database_url"] = await stack.enter_async_context(new_database(server, template))
        yield await stack.enter_async_context(open_house(folder, slack=oauth_slack(directory), **changed))


both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest_asyncio.fixture(params=both)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Two workspaces, into which the app may be installed by OAuth."""
    async for made in oauth_house(request, tmp_path, Directory()):
        yield made


@pytest_asyncio.fixture(params=both)
async def grid(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """An Enterprise Grid organization of two workspaces, and a workspace outside."""
    async for made in oauth_house(request, tmp_path, GRID):
        yield made


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with httpx.AsyncClient() as http:
        yield Browser(http=http)
