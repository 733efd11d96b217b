"""Files in three steps: an address, the content, and where to show it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from bot.sandbox.serving import serve
from bot.sandbox.slack import Directory, SlackSandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADA = "U0ADA"
CONTENT = b"a,b\r\n"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """A sandbox whose app may send files."""
    app = replace(Directory().app, scopes=frozenset({"chat:write", "im:write", "files:write"}))
    sandbox = SlackSandbox(directory=Directory(app=app))
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        yield sandbox


async def call(slack: SlackSandbox, method: str, **arguments: Any) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{slack.api_url}{method}",
            data=arguments,
            headers={"Authorization": f"Bearer {slack.bot_token}"},
        )
    return dict(answer.json())


async def upload(slack: SlackSandbox, length: int = len(CONTENT)) -> tuple[str, int]:
    begun = await call(slack, "files.getUploadURLExternal", filename="a.csv", length=length)
    async with httpx.AsyncClient() as client:
        answer = await client.post(begun["upload_url"], content=CONTENT)
    return begun["file_id"], answer.status_code


async def test_a_file_is_shown_where_it_was_completed(slack: SlackSandbox) -> None:
    file_id, status = await upload(slack)
    assert status == 200
    answer = await call(
        slack,
        "files.completeUploadExternal",
        files=json.dumps([{"id": file_id, "title": "A"}]),
        channel_id=slack.dm(ADA),
        initial_comment="Here",
    )
    assert answer["ok"]
    message = slack.messages(slack.dm(ADA))[-1]
    assert (message["text"], message["files"][0]["title"]) == ("Here", "A")
    async with httpx.AsyncClient() as client:
        opened = await client.get(message["files"][0]["url_private"])
    assert opened.content == slack.file(file_id) == CONTENT


async def test_content_of_another_length_is_not_taken(slack: SlackSandbox) -> None:
    assert (await upload(slack, length=3))[1] == 400


@pytest.mark.parametrize(
    ("files", "channel", "error"),
    [
        ([], "dm", "file_not_found"),
        ([{"id": "F0UNKNOWN"}], "dm", "file_not_found"),
        ("not json", "dm", "invalid_arguments"),
        (None, ADA, "channel_not_found"),
        (None, "C0NOWHERE", "channel_not_found"),
    ],
)
async def test_what_slack_refuses(slack: SlackSandbox, files: Any, channel: str, error: str) -> None:
    file_id, _ = await upload(slack)
    named = [{"id": file_id}] if files is None else files
    answer = await call(
        slack,
        "files.completeUploadExternal",
        files=named if isinstance(named, str) else json.dumps(named),
        channel_id=slack.dm(ADA) if channel == "dm" else channel,
    )
    assert answer["error"] == error


async def test_a_file_without_content_is_none(slack: SlackSandbox) -> None:
    begun = await call(slack, "files.getUploadURLExternal", filename="a.csv", length=3)
    with pytest.raises(LookupError):
        slack.file(begun["file_id"])


@pytest.mark.parametrize(
    "arguments", [{"filename": "a.csv"}, {"length": 3}, {"filename": "a", "length": 0}]
)
async def test_a_name_and_a_length_are_needed(slack: SlackSandbox, arguments: dict[str, Any]) -> None:
    answer = await call(slack, "files.getUploadURLExternal", **arguments)
    assert answer["error"] == "invalid_arguments"
