"""Clicks and choices between the sandbox and a real Bolt app."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from tests.sandbox.slack.sample_app import PRESETS, button, buttons

Json = dict[str, Any]


async def test_a_click_in_a_message_has_the_container_and_the_action(
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


async def test_a_click_takes_the_newest_surface_by_default(
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


async def test_a_choice_in_a_message_sends_the_chosen_option(
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
