"""The Web API over HTTP, called by slack-sdk."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.serving import serve
from bot.sandbox.slack import Channel, Directory, SlackApp, SlackSandbox
from bot.sandbox.slack.directory import ADA, GRACE

Json = dict[str, Any]
WORDS: Json = {"type": "section", "text": {"type": "mrkdwn", "text": "words"}}


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_a_token_is_required_and_checked(slack: SlackSandbox, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{slack.api_url}auth.test") as response:
        assert await response.json() == {"ok": False, "error": "not_authed"}
    wrong = AsyncWebClient(token="xoxb-wrong", base_url=slack.api_url, session=http)
    assert await refusal_of(wrong.auth_test()) == "invalid_auth"


async def test_auth_test_describes_the_tokens_installation(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == (
        "T0ACME",
        "U0BILLBOT",
        "B0BILLING",
    )
    assert "chat:write" in answer.headers["x-oauth-scopes"]
    assert slack.api_calls[-1].method == "auth.test"


async def test_an_unknown_method_is_refused(client: AsyncWebClient) -> None:
    assert await refusal_of(client.api_call("chat.sing")) == "unknown_method"


async def test_a_scope_that_was_not_granted_is_missing(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.users_info(user="U0ADA")
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "users:read"


async def test_a_message_to_a_person_lands_in_the_apps_direct_message(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    answer = await client.chat_postMessage(channel="U0ADA", text="hello", blocks=[WORDS])
    assert answer["channel"] == slack.dm("U0ADA")
    (message,) = slack.messages(slack.dm("U0ADA"))
    assert message["ts"] == answer["ts"]
    assert (message["user"], message["bot_id"], message["app_id"]) == (
        "U0BILLBOT",
        "B0BILLING",
        "A0BILLING",
    )
    assert message["blocks"][0]["block_id"]
    assert slack.violations == []


async def test_timestamps_increase_while_the_clock_stands_still(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel="U0ADA", text=f"{n}"))["ts"] for n in range(3)]
    assert stamps == sorted(set(stamps))
    assert all(len(stamp.partition(".")[2]) == 6 for stamp in stamps)


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0NOWHERE", "channel_not_found"),
        ("U0NOBODY", "channel_not_found"),
        ("C0GENERAL", "not_in_channel"),
        ("C0OLD", "is_archived"),
    ],
)
async def test_a_channel_that_cannot_be_written_to_is_refused(
    slack: SlackSandbox, client: AsyncWebClient, channel: str, error: str
) -> None:
    old = Channel(id="C0OLD", name="old", members=frozenset({"U0ADA"}), archived=True)
    slack.workspace.replace_channel(old)
    assert await refusal_of(client.chat_postMessage(channel=channel, text="x")) == error


async def test_a_message_requires_content(client: AsyncWebClient) -> None:
    empty = client.api_call("chat.postMessage", json={"channel": "U0ADA"})
    assert await refusal_of(empty) == "no_text"


async def test_invalid_blocks_are_refused_and_recorded(slack: SlackSandbox, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="U0ADA", text="x", blocks=[{"type": "banner"}])
    answer = caught.value.response
    assert answer["error"] == "invalid_blocks"
    assert "json-pointer:/blocks/0" in answer["response_metadata"]["messages"][0]
    assert answer["errors"]
    (violation,) = slack.violations
    assert (violation.where, violation.error) == ("chat.postMessage", "invalid_blocks")


async def test_a_form_carries_blocks_as_a_json_string(slack: SlackSandbox, client: AsyncWebClient) -> None:
    text = '[{"type": "divider"}]'
    await client.api_call("chat.postMessage", data={"channel": "U0ADA", "text": "x", "blocks": text})
    assert slack.messages(slack.dm("U0ADA"))[0]["blocks"][0]["type"] == "divider"
    broken = client.api_call("chat.postMessage", data={"channel": "U0ADA", "blocks": "[oops"})
    assert await refusal_of(broken) == "invalid_blocks_format"


async def test_a_reply_stands_in_its_thread_and_not_in_the_history(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    parent = (await client.chat_postMessage(channel="U0ADA", text="parent"))["ts"]
    dm = slack.dm("U0ADA")
    await client.chat_postMessage(channel=dm, text="reply", thread_ts=parent)
    assert [message["text"] for message in slack.messages(dm)] == ["parent", "reply"]
    history = (await client.conversations_history(channel=dm))["messages"]
    assert [message["text"] for message in history] == ["parent"]
    assert [message["text"] for message in slack.thread(dm, parent)] == ["reply"]
    replies = (await client.conversations_replies(channel=dm, ts=parent))["messages"]
    assert [message["text"] for message in replies] == ["parent", "reply"]
    assert replies[0]["reply_count"] == 1
    lost = client.chat_postMessage(channel=dm, text="x", thread_ts="1.000001")
    assert await refusal_of(lost) == "thread_not_found"


async def test_an_update_changes_the_apps_own_message_in_place(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel="U0ADA", text="pending", blocks=[WORDS])
    dm, ts = posted["channel"], posted["ts"]
    await client.chat_update(channel=dm, ts=ts, text="settled", blocks=[WORDS, WORDS])
    (message,) = slack.messages(dm)
    assert (message["text"], message["ts"], len(message["blocks"])) == ("settled", ts, 2)
    assert message["edited"]["user"] == "U0BILLBOT"
    await client.chat_update(channel=dm, ts=ts, text="only words")
    assert slack.messages(dm)[0]["blocks"] == []


async def test_an_update_is_refused_for_what_is_not_the_apps_own_message(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    dm = slack.dm("U0ADA")
    theirs = (await slack.say("U0ADA", "mine"))["ts"]
    whisper = await client.chat_postEphemeral(channel=dm, user="U0ADA", text="psst")

    async def update(channel: str, ts: str, text: str = "x") -> str:
        return await refusal_of(client.chat_update(channel=channel, ts=ts, text=text))

    assert await update(dm, theirs) == "cant_update_message"
    assert await update(dm, whisper["message_ts"]) == "message_not_found"
    assert await update("U0ADA", theirs) == "channel_not_found"
    own = (await client.chat_postMessage(channel=dm, text="x"))["ts"]
    assert await update(dm, own, "x" * 4001) == "msg_too_long"


async def test_an_ephemeral_is_seen_by_one_person(slack: SlackSandbox, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel="C0BILLING", user="U0ADA", text="psst")
    (whisper,) = slack.ephemerals("U0ADA")
    assert (whisper["channel"], whisper["text"]) == ("C0BILLING", "psst")
    assert slack.ephemerals("U0GRACE") == []
    assert slack.messages("C0BILLING") == []
    outside = client.chat_postEphemeral(channel="C0BILLING", user="U0STRANGER", text="x")
    assert await refusal_of(outside) == "user_not_in_channel"
    slack.forget_ephemerals("U0ADA")
    assert slack.ephemerals("U0ADA") == []


async def test_metadata_is_returned_only_on_request(slack: SlackSandbox, client: AsyncWebClient) -> None:
    metadata = {"event_type": "charge", "event_payload": {"charge": "ch_1"}}
    await client.chat_postMessage(channel="U0ADA", text="x", metadata=metadata)
    dm = (await client.conversations_open(users="U0ADA"))["channel"]["id"]
    assert dm == slack.dm("U0ADA")
    without = (await client.conversations_history(channel=dm))["messages"]
    with_it = (await client.conversations_history(channel=dm, include_all_metadata=True))["messages"]
    assert "metadata" not in without[0]
    assert with_it[0]["metadata"] == metadata
    broken = client.chat_postMessage(channel=dm, text="x", metadata={"event_type": "charge"})
    assert await refusal_of(broken) == "invalid_metadata_format"


async def test_history_is_newest_first_and_paginated(slack: SlackSandbox, client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel="U0ADA", text=t))["ts"] for t in "abcd"]
    dm = slack.dm("U0ADA")
    first = await client.conversations_history(channel=dm, limit=3)
    assert [message["text"] for message in first["messages"]] == ["d", "c", "b"]
    assert first["has_more"] is True
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=dm, limit=3, cursor=cursor)
    assert [message["text"] for message in rest["messages"]] == ["a"]
    between = await client.conversations_history(channel=dm, oldest=stamps[0], latest=stamps[3])
    assert [message["text"] for message in between["messages"]] == ["c", "b"]
    until = await client.conversations_history(channel=dm, oldest=stamps[3], inclusive=True)
    assert [message["text"] for message in until["messages"]] == ["d"]
    wrong = client.conversations_history(channel=dm, oldest="yesterday")
    assert await refusal_of(wrong) == "invalid_arguments"


async def test_history_of_a_channel_needs_its_own_scope(client: AsyncWebClient) -> None:
    assert await refusal_of(client.conversations_history(channel="C0BILLING")) == "missing_scope"


async def test_a_second_message_within_a_second_is_rate_limited(
    slack: SlackSandbox, client: AsyncWebClient, move: Callable[[float], None]
) -> None:
    slack.enforce_rate_limits = True
    await client.chat_postMessage(channel="U0ADA", text="one")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=slack.dm("U0ADA"), text="two")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    move(1)
    await client.chat_postMessage(channel="U0ADA", text="three")
    assert [message["text"] for message in slack.messages(slack.dm("U0ADA"))] == ["one", "three"]


async def test_the_directory_can_be_replaced(
    http: aiohttp.ClientSession, clock: Callable[[], float]
) -> None:
    app = SlackApp(scopes=frozenset({"users:read"}))
    sandbox = SlackSandbox(now=clock, directory=Directory(people=(ADA, GRACE), app=app))
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        client = AsyncWebClient(token=sandbox.bot_token, base_url=sandbox.api_url, session=http)
        grace = (await client.users_info(user="U0GRACE"))["user"]
        assert (grace["tz"], grace["team_id"]) == ("America/New_York", "T0ACME")
        assert await refusal_of(client.users_info(user="U0LINUS")) == "user_not_found"
        assert await refusal_of(client.chat_postMessage(channel="U0ADA", text="x")) == ("missing_scope")
