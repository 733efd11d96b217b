"""Commands, clicks and submissions between the sandbox and a real Bolt app."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.sandbox.serving import serve
from bot.sandbox.slack import Cast, NotACommandError, SlackApp, SlackSandbox, event_delivery

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


def button(action_id: str, text: str, value: str = "") -> Json:
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": text},
        "value": value,
    }


def buttons(*elements: Json, block_id: str = "buttons") -> Json:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def amount(**more: object) -> Json:
    return {
        "type": "input",
        "block_id": "amount",
        "label": {"type": "plain_text", "text": "Amount"},
        "element": {"type": "plain_text_input", "action_id": "typed"},
        **more,
    }


PRESETS: Json = {
    "type": "input",
    "block_id": "preset",
    "optional": True,
    "label": {"type": "plain_text", "text": "Preset"},
    "element": {
        "type": "radio_buttons",
        "action_id": "chosen",
        "options": [{"text": {"type": "plain_text", "text": f"${n}"}, "value": f"{n}"} for n in (10, 50)],
    },
}


def modal(*blocks: Json, title: str = "Add funds", **more: object) -> Json:
    return {
        "type": "modal",
        "callback_id": "buy",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Pay"},
        "blocks": list(blocks),
        **more,
    }


def opens(bolt: AsyncApp, view: Json) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)


def answers(bolt: AsyncApp, **ack_arguments: object) -> list[Json]:
    """Lets the app answer every submission so; returns the submissions."""
    seen: list[Json] = []

    @bolt.view("buy")
    async def handle(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack({**ack_arguments})

    return seen


@asynccontextmanager
async def plain_app(slack: SlackSandbox, handle: Handler) -> AsyncIterator[None]:
    async with serve(Starlette(routes=[Route("/slack/events", handle, methods=["POST"])])) as url:
        slack.app_url = f"{url}/slack/events"
        yield


async def opened(slack: SlackSandbox) -> Json:
    await slack.command("U0ADA", "/billing")
    await slack.wait_for(lambda: slack.view("U0ADA"))
    view = slack.view("U0ADA")
    assert view is not None
    return view


async def test_bolt_accepts_the_signature_and_gets_every_field_of_a_command(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    seen: list[Json] = []

    @bolt.command("/billing")
    async def handle(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack()

    delivery = await slack.command("U0GRACE", "/billing buy 50 & <b>", channel="C0BILLING")
    assert (delivery.kind, delivery.status, delivery.error) == ("command", 200, None)
    assert 0 < delivery.ack_ms < 3000
    (body,) = seen
    assert body["text"] == "buy 50 &amp; &lt;b&gt;"
    assert (body["team_id"], body["team_domain"]) == ("T0ACME", "acme-research")
    assert (body["channel_id"], body["channel_name"]) == ("C0BILLING", "billing")
    assert (body["user_id"], body["user_name"]) == ("U0GRACE", "grace")
    assert (body["api_app_id"], body["is_enterprise_install"]) == ("A0BILLING", "false")
    assert body["response_url"].startswith(slack.public_url)
    assert slack.deliveries == [delivery]


@pytest.mark.usefixtures("bolt")
async def test_bolt_refuses_a_forged_or_stale_request(slack: SlackSandbox) -> None:
    body, now = "command=%2Fbilling", str(int(time.time()))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = {**form, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": "v0=00"}
    assert (await slack.send_raw(body, forged)).status == 401
    old = str(int(time.time()) - 301)
    stale = {**form, "X-Slack-Request-Timestamp": old, "X-Slack-Signature": slack.sign(body, old)}
    assert (await slack.send_raw(body, stale)).status == 401


async def test_only_registered_commands_exist(slack: SlackSandbox) -> None:
    with pytest.raises(NotACommandError, match="/refund is not a valid command"):
        await slack.command("U0ADA", "/refund")
    with pytest.raises(LookupError, match="is not in"):
        await slack.command("U0STRANGER", "/billing", channel="C0GENERAL")
    assert slack.deliveries == []


@pytest.mark.parametrize(
    ("ack_arguments", "private"),
    [
        ({"text": "hello"}, True),
        ({"text": "hello", "blocks": [{"type": "divider"}]}, True),
        ({"text": "hello", "response_type": "in_channel"}, False),
    ],
)
async def test_an_acknowledgement_with_text_becomes_a_message(
    slack: SlackSandbox, bolt: AsyncApp, ack_arguments: Json, private: bool
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack(**ack_arguments)

    await slack.command("U0ADA", "/billing")
    shown = slack.ephemerals("U0ADA") if private else slack.messages("C0GENERAL")
    assert [message["text"] for message in shown] == ["hello"]


async def test_broken_blocks_in_an_acknowledgement_are_told_and_noted(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck) -> None:
        await ack(text="x", blocks=[{"type": "banner"}])

    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error invalid_command_response"
    assert slack.violations[0].where == "ack"


async def test_a_late_acknowledgement_is_an_operation_timeout(slack: SlackSandbox) -> None:
    slack.ack_deadline = 0.05
    released = asyncio.Event()

    async def sleepy(_request: Request) -> Response:
        await released.wait()
        return PlainTextResponse("")

    async with plain_app(slack, sleepy):
        delivery = await slack.command("U0ADA", "/billing")
        released.set()
    assert delivery.error == "/billing failed with the error operation_timeout"
    assert (delivery.status, delivery.failure) == (None, "operation_timeout")
    assert delivery.ack_ms >= 50


async def test_a_failing_app_is_a_dispatch_failure(slack: SlackSandbox) -> None:
    async def broken(_request: Request) -> Response:
        return PlainTextResponse("oops", status_code=500)

    async with plain_app(slack, broken):
        delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error dispatch_failed"
    assert (delivery.status, delivery.response) == (500, "oops")


async def test_an_app_that_is_down_is_told_at_once(slack: SlackSandbox) -> None:
    async def unused(_request: Request) -> Response:
        return PlainTextResponse("")

    async with plain_app(slack, unused):
        pass
    delivery = await slack.command("U0ADA", "/billing")
    assert delivery.error == "/billing failed with the error dispatch_failed"
    assert delivery.status is None


async def test_a_click_in_a_message_tells_where_and_what(
    slack: SlackSandbox, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    seen: list[Json] = []

    @bolt.action("check")
    async def handle(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack()

    posted = await client.chat_postMessage(
        channel="U0ADA", text="x", blocks=[buttons(button("check", "Check again", "ch_1"))]
    )
    delivery = await slack.click_text("U0ADA", "Check again")
    assert delivery.error is None
    (body,) = seen
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": slack.dm("U0ADA"),
        "is_ephemeral": False,
    }
    assert body["message"]["ts"] == posted["ts"]
    (action,) = body["actions"]
    assert (action["block_id"], action["action_id"], action["value"]) == (
        "buttons",
        "check",
        "ch_1",
    )
    assert action["action_ts"]
    assert (body["user"]["team_id"], body["team"]["id"]) == ("T0ACME", "T0ACME")


async def test_a_click_in_an_ephemeral_carries_no_message(
    slack: SlackSandbox, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    @bolt.action("go")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    dm = slack.dm("U0ADA")
    blocks = [buttons(button("go", "Go"))]
    await client.chat_postEphemeral(channel=dm, user="U0ADA", text="x", blocks=blocks)
    body = (await slack.click("U0ADA", "go")).body
    assert body["container"]["is_ephemeral"] is True
    assert body["container"]["message_ts"] == slack.ephemerals("U0ADA")[0]["ts"]
    assert "message" not in body


async def test_the_newest_surface_is_clicked_unless_another_is_named(
    slack: SlackSandbox, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    @bolt.action("go")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    @bolt.event("app_home_opened")
    async def handle_home() -> None:
        pass

    blocks = [buttons(button("go", "Go"))]
    home: Json = {"type": "home", "blocks": blocks}
    await client.views_publish(user_id="U0ADA", view=home)
    old = (await client.chat_postMessage(channel="U0ADA", text="x", blocks=blocks))["ts"]
    new = (await client.chat_postMessage(channel="U0ADA", text="x", blocks=blocks))["ts"]
    assert (await slack.click("U0ADA", "go")).body["container"]["message_ts"] == new
    assert (await slack.click("U0ADA", "go", in_=old)).body["container"]["message_ts"] == old
    assert (await slack.click("U0ADA", "go", in_="home")).body["view"]["type"] == "home"
    await slack.open_home("U0ADA")
    assert (await slack.click("U0ADA", "go")).body["view"]["type"] == "home"


async def test_a_stranger_in_a_shared_channel_keeps_their_own_team(
    slack: SlackSandbox, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    @bolt.action("go")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    blocks = [buttons(button("go", "Go"))]
    await client.chat_postMessage(channel="C0SHARED", text="x", blocks=blocks)
    body = (await slack.click("U0STRANGER", "go")).body
    assert (body["user"]["team_id"], body["team"]["id"]) == ("T0OTHER", "T0ACME")


async def test_a_choice_in_a_message_is_told_as_the_chosen_option(
    slack: SlackSandbox, bolt: AsyncApp, client: AsyncWebClient
) -> None:
    @bolt.action("chosen")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    blocks = [buttons(PRESETS["element"], block_id="preset")]
    await client.chat_postMessage(channel="U0ADA", text="x", blocks=blocks)
    delivery = await slack.select("U0ADA", "chosen", "50")
    assert delivery is not None
    assert delivery.body["actions"][0]["selected_option"]["value"] == "50"
    state = delivery.body["state"]["values"]
    assert state["preset"]["chosen"]["selected_option"]["value"] == "50"
    with pytest.raises(LookupError, match="no option"):
        await slack.select("U0ADA", "chosen", "99")


@pytest.mark.usefixtures("bolt")
async def test_a_click_that_is_not_acknowledged_warns_the_person(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    blocks = [buttons(button("nobody", "Go"))]
    await client.chat_postMessage(channel="U0ADA", text="x", blocks=blocks)
    delivery = await slack.click("U0ADA", "nobody")
    assert delivery.error == "The app answered with status 404 (dispatch_failed)."


async def test_a_required_field_is_checked_before_anything_is_sent(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    opens(bolt, modal(amount()))
    await opened(slack)
    before = len(slack.deliveries)
    delivery = await slack.submit("U0ADA")
    assert delivery.errors == {"amount": "Please complete this required field."}
    assert delivery.status is None
    assert len(slack.deliveries) == before


@pytest.mark.parametrize(
    ("element", "typed", "complaint"),
    [
        ({"type": "number_input", "is_decimal_allowed": True}, "many", "enter a number"),
        ({"type": "number_input", "is_decimal_allowed": False}, "1.5", "whole number"),
        (
            {"type": "number_input", "is_decimal_allowed": True, "min_value": "10"},
            "9.99",
            "at least 10",
        ),
        (
            {"type": "number_input", "is_decimal_allowed": True, "max_value": "10"},
            "10.01",
            "at most 10",
        ),
        ({"type": "plain_text_input", "min_length": 3}, "ab", "at least 3"),
        ({"type": "plain_text_input", "max_length": 3}, "abcd", "at most 3"),
        ({"type": "email_text_input"}, "ada", "valid email"),
        ({"type": "url_text_input"}, "ada", "valid URL"),
    ],
)
async def test_a_typed_value_is_checked_before_anything_is_sent(
    slack: SlackSandbox, bolt: AsyncApp, element: Json, typed: str, complaint: str
) -> None:
    opens(bolt, modal(amount(element={**element, "action_id": "typed"})))
    await opened(slack)
    await slack.type("U0ADA", "amount", typed)
    assert complaint in (await slack.submit("U0ADA")).errors["amount"]


async def test_an_empty_acknowledgement_closes_the_submitted_view(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    opens(bolt, modal(amount(), PRESETS, private_metadata="intent-1"))
    seen = answers(bolt)
    await opened(slack)
    await slack.type("U0ADA", "typed", "50")
    assert await slack.select("U0ADA", "preset", "$10") is None
    delivery = await slack.submit("U0ADA")
    assert (delivery.status, delivery.error, delivery.errors) == (200, None, {})
    assert slack.view("U0ADA") is None
    view = seen[0]["view"]
    assert view["private_metadata"] == "intent-1"
    assert view["state"]["values"]["amount"]["typed"]["value"] == "50"
    assert view["state"]["values"]["preset"]["chosen"]["selected_option"]["value"] == "10"
    assert seen[0]["response_urls"] == []


async def test_errors_keep_the_view_open(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="errors", errors={"amount": "Too much."})
    before = await opened(slack)
    await slack.type("U0ADA", "amount", "5000")
    delivery = await slack.submit("U0ADA")
    assert delivery.errors == {"amount": "Too much."}
    after = slack.view("U0ADA")
    assert after is not None
    assert after["id"] == before["id"]
    assert slack.violations == []


async def test_errors_that_name_no_input_are_trouble(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="errors", errors={"typed": "Too much."})
    await opened(slack)
    await slack.type("U0ADA", "amount", "5000")
    delivery = await slack.submit("U0ADA")
    assert delivery.error == "We had some trouble connecting. Try again?"
    assert "input blocks" in slack.violations[0].messages[0]
    assert slack.view("U0ADA") is not None


async def test_update_replaces_the_view(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="update", view=modal(title="Processing"))
    before = await opened(slack)
    await slack.type("U0ADA", "amount", "50")
    await slack.submit("U0ADA")
    (after,) = slack.views("U0ADA")
    assert (after["id"], after["title"]["text"]) == (before["id"], "Processing")
    assert after["hash"] != before["hash"]


async def test_push_covers_the_view_and_closing_shows_it_again(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="push", view=modal(title="Confirm purchase"))
    before = await opened(slack)
    await slack.type("U0ADA", "amount", "50")
    await slack.submit("U0ADA")
    assert [view["title"]["text"] for view in slack.views("U0ADA")] == [
        "Add funds",
        "Confirm purchase",
    ]
    assert slack.views("U0ADA")[1]["previous_view_id"] == before["id"]
    await slack.close("U0ADA")
    front = slack.view("U0ADA")
    assert front is not None
    assert front["state"]["values"]["amount"]["typed"]["value"] == "50"


async def test_clear_closes_all(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="clear")
    await opened(slack)
    await slack.type("U0ADA", "amount", "50")
    await slack.submit("U0ADA")
    assert slack.views("U0ADA") == []


async def test_a_broken_view_in_an_acknowledgement_is_trouble_and_noted(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    opens(bolt, modal())
    answers(bolt, response_action="update", view=modal(title="x" * 25))
    await opened(slack)
    delivery = await slack.submit("U0ADA")
    assert delivery.error == "We had some trouble connecting. Try again?"
    assert slack.violations[0].where == "ack"


async def test_a_late_submission_is_trouble_and_keeps_the_view(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal())
    released = asyncio.Event()

    @bolt.view("buy")
    async def handle(ack: AsyncAck) -> None:
        await released.wait()
        await ack()

    await opened(slack)
    slack.ack_deadline = 0.05
    delivery = await slack.submit("U0ADA")
    released.set()
    assert delivery.error == "We had some trouble connecting. Try again?"
    assert delivery.failure == "operation_timeout"
    assert slack.view("U0ADA") is not None


async def test_an_input_that_dispatches_tells_the_app_while_it_is_filled(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    opens(bolt, modal(amount(dispatch_action=True)))

    @bolt.action("typed")
    async def handle(ack: AsyncAck) -> None:
        await ack()

    view = await opened(slack)
    delivery = await slack.type("U0ADA", "amount", "50")
    assert delivery is not None
    assert delivery.body["actions"][0]["value"] == "50"
    assert delivery.body["container"] == {"type": "view", "view_id": view["id"]}
    values = delivery.body["view"]["state"]["values"]
    assert values["amount"]["typed"] == {"type": "plain_text_input", "value": "50"}
    assert "response_url" not in delivery.body


async def test_a_failed_event_is_repeated_at_once_with_the_reason(slack: SlackSandbox) -> None:
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


async def test_an_app_may_decline_repetitions(slack: SlackSandbox) -> None:
    async def declines(_request: Request) -> Response:
        return PlainTextResponse("", status_code=500, headers={"X-Slack-No-Retry": "1"})

    async with plain_app(slack, declines):
        await slack.event({"type": "tokens_revoked", "tokens": {"bot": ["U0BILLBOT"]}})
    assert [delivery.status for delivery in slack.deliveries] == [500]


async def test_an_event_is_given_up_after_three_repetitions(
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


async def test_repetitions_still_due_end_with_the_server() -> None:
    sandbox = SlackSandbox(app_url="http://127.0.0.1:1/slack/events")
    async with serve(sandbox.app):
        await sandbox.event({"type": "app_uninstalled"})
    assert [delivery.failure for delivery in sandbox.deliveries] == ["dispatch_failed"] * 2


async def test_commands_are_never_repeated(slack: SlackSandbox) -> None:
    bodies: list[str] = []

    async def fails(request: Request) -> Response:
        bodies.append(parse_qs((await request.body()).decode())["command"][0])
        return PlainTextResponse("", status_code=500)

    async with plain_app(slack, fails):
        await slack.command("U0ADA", "/billing")
    assert bodies == ["/billing"]


async def test_work_after_the_acknowledgement_can_be_waited_for(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/billing")
    async def handle(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("done")

    await slack.command("U0ADA", "/billing")
    (answer,) = await slack.wait_for(lambda: slack.ephemerals("U0ADA"))
    assert answer["text"] == "done"
    with pytest.raises(TimeoutError, match="response_url: ok"):
        await slack.wait_for(lambda: slack.view("U0ADA"), timeout=0.01)


async def test_words_in_the_apps_dm_are_heard_only_with_a_subscription() -> None:
    heard: list[Json] = []

    async def listening(request: Request) -> Response:
        heard.append((await request.json())["event"])
        return PlainTextResponse("")

    app = SlackApp(events=frozenset({"message.im"}))
    sandbox = SlackSandbox(cast=Cast(app=app))
    async with serve(sandbox.app), plain_app(sandbox, listening):
        await sandbox.say("U0ADA", "hello")
        await sandbox.say("U0ADA", "to all", channel="C0GENERAL")
        assert await sandbox.open_home("U0ADA") is None
    (event,) = heard
    assert (event["type"], event["channel_type"], event["text"]) == ("message", "im", "hello")
