"""`kill -9` at the worst moments: one charge, one message, its true end."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.portal import Fault, PortalSandbox
from bot.sandbox.serving import serve
from tests.support.house import ADA, BOT_TOKEN, SIGNING_SECRET, make_slack
from tests.support.process import AppProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox.slack import SlackSandbox


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[AppProcess, PortalSandbox, SlackSandbox]]:
    portal, slack = PortalSandbox(seed=1), make_slack()
    portal.sign_in.interval = 1
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        app = AppProcess(folder=folder, portal=portal, slack=slack)
        await app.start()
        try:
            yield app, portal, slack
        finally:
            await app.kill()
        assert slack.violations == []


async def connect(portal: PortalSandbox, slack: SlackSandbox) -> None:
    await slack.command(ADA, "/billing connect")
    await until(lambda: "user_code=" in str(slack.ephemerals(ADA)))
    code = str(slack.ephemerals(ADA)[-1]["blocks"]).partition("user_code=")[2].partition("'")[0]
    portal.approve(code)
    await until(lambda: "*Connected*" in slack.ephemerals(ADA)[-1]["text"])


async def confirm(slack: SlackSandbox, amount: str) -> None:
    await slack.command(ADA, f"/billing buy {amount}")
    await until(lambda: "Pay" in str((slack.view(ADA) or {}).get("submit")))
    await slack.submit(ADA)


def messages(slack: SlackSandbox) -> list[dict[str, Any]]:
    found = slack.messages(slack.dm(ADA))
    return [each for each in found if each.get("thread_ts", each["ts"]) == each["ts"]]


def told(slack: SlackSandbox, words: str) -> bool:
    return any(words in message["text"] for message in messages(slack))


def polls(portal: PortalSandbox) -> int:
    return sum(each.path.startswith("/api/billing/charge/") for each in portal.requests)


async def test_killed_in_the_middle_of_a_poll(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        await confirm(slack, "50")
        await until(lambda: polls(portal) >= 2)
        await app.kill()
        await app.start()
        await until(lambda: told(slack, "$50 added to your balance"))
        assert len(portal.charges) == 1
        assert len(messages(slack)) == 1


async def test_killed_while_the_portal_has_charged_and_not_answered_yet(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        portal.fail("/api/billing/charge", Fault(seconds=5, after_work=True), times=1, method="POST")
        await confirm(slack, "50")
        await until(lambda: portal.charges)
        await app.kill()
        await app.start()
        await until(lambda: told(slack, "$50 added to your balance"))
        assert len(portal.charges) == 1
        assert len({post.key for post in portal.charge_posts}) == 1
        assert len(messages(slack)) == 1


async def test_killed_between_slacks_post_and_our_record_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        slack.faults.add(method="chat.postMessage", kind="drop_after", times=1)
        await confirm(slack, "50")
        await until(lambda: messages(slack))
        await app.kill()
        await app.start()
        await until(lambda: told(slack, "$50 added to your balance"))
        assert len(messages(slack)) == 1
        assert len(portal.charges) == 1


@pytest.mark.behavior(62)
async def test_a_yes_repeated_after_the_restart_is_still_one_charge(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        await confirm(slack, "10.06")
        submission = next(each for each in slack.deliveries if each.kind == "view_submission")
        await until(lambda: portal.charges)
        await app.kill()
        await app.start()
        await slack.send_raw(submission.raw_body, _signed(slack, submission.raw_body))
        await until(lambda: polls(portal) >= 3)
        assert len(portal.charges) == 1
        assert len(messages(slack)) == 1


async def test_killed_while_a_person_is_approving(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await slack.command(ADA, "/billing connect")
        await until(lambda: "user_code=" in str(slack.ephemerals(ADA)))
        await app.kill()
        code = str(slack.ephemerals(ADA)[-1]["blocks"]).partition("user_code=")[2].partition("'")[0]
        portal.approve(code)
        await app.start()
        await until(lambda: "*Connected*" in slack.ephemerals(ADA)[-1]["text"])


async def test_the_operator_can_trace_a_charge_to_its_end(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        await confirm(slack, "50")
        await until(lambda: told(slack, "$50 added to your balance"))
        (charge,) = messages(slack)
        named = charge["metadata"]["event_payload"]["charge"]
        await app.terminate()
        story = await app.run("trace", named)
        lines = story.splitlines()
        assert f"Purchase         {named}" in lines
        assert "State            settled: added" in lines
        steps = [line.partition("UTC  ")[2] for line in lines if "UTC  " in line]
        # The message is another job's: it may be posted before the charge is sent, or after.
        own = [step for step in steps if not step.startswith("Message")]
        assert own[:3] == ["Shown for confirmation", "Confirmed", "Sent to the portal"]
        assert {"Accepted by the portal", "Ended: added", "Message posted"} <= set(steps)
        assert any(step.startswith("Status checked") for step in steps)
        (post,) = portal.charge_posts
        assert str(post.key) not in story
        assert "There is no purchase nothing." in await app.run("trace", "nothing")
        await app.start()


async def test_told_to_stop_while_the_portal_hangs_it_ends_within_ten_seconds(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        portal.fail("/api/billing/charge", Fault(seconds=30, after_work=True), times=1, method="POST")
        await confirm(slack, "50")
        await until(lambda: portal.charges)
        began = time.monotonic()
        assert await app.terminate() == 0
        assert time.monotonic() - began < 10
        await app.start()
        await until(lambda: told(slack, "$50 added to your balance"))
        assert len(portal.charges) == 1
        assert len(messages(slack)) == 1


async def test_told_to_stop_during_a_start_that_waits_it_ends_within_ten_seconds(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, _, _):
        environment = {
            **app.environment(),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x",
            "PORT": "0",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"),
            env=environment,
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        while b"waits_for_database" not in await process.stderr.readline():
            pass
        process.terminate()
        async with asyncio.timeout(10):
            said = (await process.communicate())[1].decode()
        assert "Traceback" not in said


async def test_told_to_stop_it_ends_cleanly_and_the_charge_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        await confirm(slack, "50")
        await until(lambda: polls(portal) >= 1)
        assert await app.terminate() == 0
        await app.start()
        await until(lambda: told(slack, "$50 added to your balance"))
        assert len(portal.charges) == 1
        assert len(messages(slack)) == 1


@pytest.mark.behavior(50)
async def test_no_secret_stands_readable_in_the_database_or_the_logs(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, portal, slack):
        await connect(portal, slack)
        await confirm(slack, "50")
        await until(lambda: told(slack, "$50 added to your balance"))
        portal.expire_access_tokens()
        await slack.command(ADA, "/billing")
        await until(lambda: "$205.70 to use" in slack.ephemerals(ADA)[-1]["text"])
        await slack.send_raw("text=x", {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=0"})
        await slack.command(ADA, "/billing connect")
        await app.terminate()
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        await app.start()
        secrets = secrets_of(portal, slack)
        assert len(secrets) >= 6
        for secret in (*secrets, SIGNING_SECRET, BOT_TOKEN, app.key):
            assert secret.encode() not in stored, f"{secret[:6]}… stands readable"
        assert b"charge.post" in stored


def secrets_of(portal: PortalSandbox, slack: SlackSandbox) -> set[str]:
    """Every token and code that went over the wire, and every response_url."""
    found: set[str] = set()
    for request in portal.requests:
        found.update(
            value.removeprefix("Bearer ")
            for name, value in request.headers.items()
            if name.lower() in {"authorization", "x-nous-refresh-token"}
        )
        found.update(
            part.partition("=")[2]
            for part in str(request.body).split("&")
            if part.startswith(("device_code=", "user_code="))
        )
    for delivery in slack.deliveries:
        url = delivery.body.get("response_url")
        if isinstance(url, str) and url:
            found.add(url.rpartition("/")[2])
    return {secret for secret in found if secret}


def _signed(slack: SlackSandbox, body: str) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": slack.sign(body, timestamp),
    }
