"""Modal submissions between the sandbox and a real Bolt app."""

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.sample_app import (
    PRESETS,
    amount,
    answers,
    modal,
    opened,
    opens,
)

Json = dict[str, Any]


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
    ("element", "typed", "message"),
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
    slack: SlackSandbox, bolt: AsyncApp, element: Json, typed: str, message: str
) -> None:
    opens(bolt, modal(amount(element={**element, "action_id": "typed"})))
    await opened(slack)
    await slack.type("U0ADA", "amount", typed)
    assert message in (await slack.submit("U0ADA")).errors["amount"]


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


async def test_errors_for_an_unknown_input_show_a_connection_error(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
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


async def test_push_opens_a_view_in_front_and_closing_returns_to_the_first(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
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


async def test_clear_closes_all_views(slack: SlackSandbox, bolt: AsyncApp) -> None:
    opens(bolt, modal(amount()))
    answers(bolt, response_action="clear")
    await opened(slack)
    await slack.type("U0ADA", "amount", "50")
    await slack.submit("U0ADA")
    assert slack.views("U0ADA") == []


async def test_an_invalid_view_in_an_acknowledgement_shows_an_error_and_is_recorded(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    opens(bolt, modal())
    answers(bolt, response_action="update", view=modal(title="x" * 25))
    await opened(slack)
    delivery = await slack.submit("U0ADA")
    assert delivery.error == "We had some trouble connecting. Try again?"
    assert slack.violations[0].where == "ack"


async def test_a_late_acknowledgement_shows_an_error_and_keeps_the_view(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
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


async def test_an_input_with_dispatch_action_sends_an_action_while_it_is_filled(
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
