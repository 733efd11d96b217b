"""Retries of events that the app did not accept."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.sandbox.serving import serve
from bot.sandbox.slack import SlackSandbox, event_delivery
from tests.sandbox.slack.sample_app import plain_app

Json = dict[str, Any]


async def test_a_failed_event_is_retried_at_once_with_the_reason(slack: SlackSandbox) -> None:
    retries: list[tuple[str | None, str | None]] = []
    ids: list[str] = []

    async def fails_once(request: Request) -> Response:
        headers = request.headers
        retries.append((headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason")))
        ids.append((await request.json())["event_id"])
        return PlainTextResponse("", status_code=500 if len(retries) == 1 else 200)

    async with plain_app(slack, fails_once):
        delivery = await slack.event({"type": "app_uninstalled"})
    assert delivery.status == 200
    assert retries == [(None, None), ("1", "http_error")]
    assert ids[0] == ids[1]


async def test_an_app_may_decline_retries(slack: SlackSandbox) -> None:
    async def declines(_request: Request) -> Response:
        return PlainTextResponse("", status_code=500, headers={"X-Slack-No-Retry": "1"})

    async with plain_app(slack, declines):
        await slack.event({"type": "tokens_revoked", "tokens": {"bot": ["U0BILLBOT"]}})
    assert [delivery.status for delivery in slack.deliveries] == [500]


async def test_an_event_is_dropped_after_three_retries(
    slack: SlackSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_delivery, "RETRY_SECONDS", (0, 0, 0))
    reasons: list[str | None] = []

    async def fails(request: Request) -> Response:
        reasons.append(request.headers.get("x-slack-retry-num"))
        return PlainTextResponse("", status_code=500)

    async with plain_app(slack, fails):
        await slack.event({"type": "app_uninstalled"})
        await slack.wait_for(lambda: len(slack.deliveries) == 4)
    assert reasons == [None, "1", "2", "3"]


async def test_pending_retries_end_with_the_server() -> None:
    sandbox = SlackSandbox(app_url="http://127.0.0.1:1/slack/events")
    async with serve(sandbox.app):
        await sandbox.event({"type": "app_uninstalled"})
    assert [delivery.failure for delivery in sandbox.deliveries] == ["dispatch_failed"] * 2


async def test_commands_are_never_retried(slack: SlackSandbox) -> None:
    bodies: list[str] = []

    async def fails(request: Request) -> Response:
        bodies.append(parse_qs((await request.body()).decode())["command"][0])
        return PlainTextResponse("", status_code=500)

    async with plain_app(slack, fails):
        await slack.command("U0ADA", "/billing")
    assert bodies == ["/billing"]
