"""Requests from strangers, repeated, changed, old or malformed: each is answered, and none charges."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from freezegun import freeze_time

from tests.support.house import ADA, DIRECTORY, GRACE, LINUS, TEAM, House
from tests.support.shown import Shown


@pytest.mark.behavior(61)
async def test_a_strangers_click_is_answered_and_changes_nothing(house: House) -> None:
    await house.link()
    await house.slack.command("U0STRANGER", "/billing", channel="C0SHARED")
    await house.until(lambda: "another workspace" in house.last_ephemeral("U0STRANGER")["text"])
    payload = {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": ADA, "team_id": "T0OTHER"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": "resume", "block_id": "b", "type": "button", "value": "x"}],
        "container": {"type": "message"},
    }
    before = len(house.portal.requests)
    answer = await house.send_signed("payload=" + quote(json.dumps(payload)))
    assert answer.status == 200
    assert len(house.portal.requests) == before


async def test_another_persons_confirmation_cannot_be_submitted(house: House) -> None:
    await house.link()
    await house.link(LINUS, "grace")
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    answer = await house.submit_again(view, LINUS)
    assert "This purchase is not yours" in Shown(answer["view"]).text
    assert house.portal.charge_posts == []


async def test_a_repeated_request_makes_one_charge(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    submission = next(each for each in house.slack.deliveries if each.kind == "view_submission")
    for _ in range(3):
        assert (await house.send_signed(submission.raw_body)).status == 200
    await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


async def test_a_changed_amount_in_a_submission_is_ignored(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    blocks = json.loads(json.dumps(view["blocks"]).replace("$50", "$999"))
    await house.submit_again(
        {**view, "blocks": blocks, "submit": {"type": "plain_text", "text": "Pay $999 now"}},
        values={"amount_custom": {"x": {"type": "plain_text_input", "value": "999"}}},
    )
    await house.told("$50 added to your balance")
    assert [charge.amount for charge in await house.charges()] == [50]


@pytest.mark.parametrize("changed", ["", "f" * 16, "../../x", "'; DROP TABLE charges; --"])
async def test_an_unknown_charge_cannot_be_confirmed(house: House, changed: str) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    answer = await house.submit_again({**view, "private_metadata": changed})
    assert "not yours, or it no longer exists" in Shown(answer["view"]).text
    assert house.portal.charge_posts == []


async def test_the_app_ignores_bot_users(house: House) -> None:
    bot = DIRECTORY.app.bot_user_id
    await house.link(ADA)
    fields = {"command": "/billing", "text": "buy 50", "team_id": TEAM, "user_id": bot, "trigger_id": "1"}
    assert (await house.send_signed(urlencode(fields))).status == 200
    event = {"type": "app_home_opened", "user": bot, "channel": "D1", "tab": "home"}
    await house.slack.event(event)
    assert house.portal.requests[1:] == []
    assert {each.method for each in house.slack.api_calls} == {"auth.test"}


async def test_an_expired_trigger_gets_an_explanation(house: House) -> None:
    await house.link()
    house.slack.faults.add(method="views.open", kind="error", error="expired_trigger_id")
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "This has expired" in house.last_ephemeral()["text"])


@pytest.mark.parametrize(
    "change",
    ["signature", "body", "old", "future"],
)
async def test_a_request_without_a_fresh_signature_is_refused(house: House, change: str) -> None:
    body = f"command=%2Fbilling&text=&team_id={TEAM}&user_id={ADA}&trigger_id=1"
    if change in {"old", "future"}:
        answer = await house.send_signed(body, age=400 if change == "old" else -400)
    else:
        timestamp = "1" if change == "signature" else None
        with freeze_time(real_asyncio=True):
            import time  # noqa: PLC0415 - frozen

            stamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": "v0=00" if timestamp else house.slack.sign(body, stamp),
            }
            answer = await house.slack.send_raw(body if timestamp else body + "x", headers)
    assert answer.status == 401
    assert house.portal.requests == []


@pytest.mark.parametrize(
    ("body", "timestamp", "status"),
    [
        (b"text=x", "soon", 400),
        (b"text=x", "", 400),
        (b"text=x", "\xb2".encode("latin-1").decode("latin-1"), 400),
        (b"x" * 1_000_001, "1", 401),
    ],
)
async def test_a_malformed_request_is_refused_before_it_reaches_bolt(
    house: House, body: bytes, timestamp: str, status: int
) -> None:
    headers = {"X-Slack-Signature": "v0=00"}
    if timestamp:
        headers["X-Slack-Request-Timestamp"] = timestamp
    answer = await house.slack.send_raw(body, headers)
    assert answer.status == status


async def test_a_person_who_sends_too_many_commands_is_slowed_down(
    house: House,
) -> None:
    for _ in range(45):
        await house.slack.command(ADA, "/billing help")
    await house.until(lambda: "going a bit fast" in house.last_ephemeral()["text"])
    await house.slack.command(GRACE, "/billing help")
    await house.until(lambda: "/billing buy" in house.last_ephemeral(GRACE)["text"])
