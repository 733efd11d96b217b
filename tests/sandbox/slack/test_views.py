"""Modals and App Home: triggers, hashes, the stack."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox

Json = dict[str, Any]


def modal(title: str = "One", **more: object) -> Json:
    return {
        "type": "modal",
        "callback_id": "buy",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Pay"},
        "blocks": [
            {
                "type": "input",
                "block_id": "amount",
                "label": {"type": "plain_text", "text": "Amount"},
                "element": {"type": "plain_text_input", "action_id": "amount"},
            },
            {
                "type": "actions",
                "block_id": "buttons",
                "elements": [
                    {
                        "type": "button",
                        "action_id": "more",
                        "text": {"type": "plain_text", "text": "More"},
                    }
                ],
            },
        ],
        **more,
    }


async def refusal_of(call: Awaitable[object]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
def acking(bolt: AsyncApp) -> AsyncApp:
    """Serve an app that only acknowledges."""

    @bolt.command("/billing")
    async def handle_command(ack: AsyncAck) -> None:
        await ack()

    @bolt.action("more")
    async def handle_more(ack: AsyncAck) -> None:
        await ack()

    @bolt.view("buy")
    async def handle_buy(ack: AsyncAck) -> None:
        await ack()

    @bolt.view_closed("buy")
    async def handle_closed(ack: AsyncAck) -> None:
        await ack()

    @bolt.event("app_home_opened")
    async def handle_home() -> None:
        pass

    return bolt


@pytest.fixture
async def trigger(slack: SlackSandbox, acking: AsyncApp) -> str:  # noqa: ARG001 it must listen
    return str((await slack.command("U0ADA", "/billing")).body["trigger_id"])


async def trigger_from_modal(slack: SlackSandbox) -> str:
    return str((await slack.click("U0ADA", "more", in_="view")).body["trigger_id"])


async def test_a_trigger_opens_one_view_with_the_fields_that_slack_adds(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    view = (await client.views_open(trigger_id=trigger, view=modal(private_metadata="m")))["view"]
    assert view == slack.view("U0ADA")
    assert (view["team_id"], view["app_id"], view["bot_id"]) == ("T0ACME", "A0BILLING", "B0BILLING")
    assert (view["root_view_id"], view["previous_view_id"]) == (view["id"], None)
    assert (view["callback_id"], view["private_metadata"], view["external_id"]) == ("buy", "m", "")
    assert view["state"]["values"] == {"amount": {"amount": {"type": "plain_text_input", "value": None}}}
    assert await refusal_of(client.views_open(trigger_id=trigger, view=modal())) == ("exchanged_trigger_id")


async def test_a_trigger_expires_after_three_seconds(
    client: AsyncWebClient, trigger: str, move: Callable[[float], None]
) -> None:
    move(3.01)
    late = client.views_open(trigger_id=trigger, view=modal())
    assert await refusal_of(late) == "expired_trigger_id"


async def test_a_trigger_works_until_the_end_of_the_third_second(
    client: AsyncWebClient, trigger: str, move: Callable[[float], None]
) -> None:
    move(2.9)
    assert (await client.views_open(trigger_id=trigger, view=modal()))["ok"]


async def test_an_unknown_trigger_is_invalid(client: AsyncWebClient) -> None:
    assert await refusal_of(client.views_open(trigger_id="1.2.3", view=modal())) == ("invalid_trigger_id")


async def test_a_refused_view_leaves_the_trigger_unused(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    broken = modal(title="x" * 25)
    assert await refusal_of(client.views_open(trigger_id=trigger, view=broken)) == ("invalid_arguments")
    assert slack.violations[0].where == "views.open"
    assert (await client.views_open(trigger_id=trigger, view=modal()))["ok"]


async def test_an_update_with_an_old_hash_conflicts(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    first = (await client.views_open(trigger_id=trigger, view=modal()))["view"]
    known = {"view_id": first["id"], "hash": first["hash"]}
    second = (await client.views_update(view=modal("Two"), **known))["view"]
    assert second["id"] == first["id"]
    assert second["hash"] != first["hash"]
    assert await refusal_of(client.views_update(view=modal("Three"), **known)) == "hash_conflict"
    front = slack.view("U0ADA")
    assert front is not None
    assert front["title"]["text"] == "Two"


async def test_an_update_keeps_what_was_typed_under_the_same_ids(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    view = (await client.views_open(trigger_id=trigger, view=modal()))["view"]
    await slack.type("U0ADA", "amount", "50")
    updated = (await client.views_update(view_id=view["id"], view=modal("Two")))["view"]
    assert updated["state"]["values"]["amount"]["amount"]["value"] == "50"
    renamed = modal("Three")
    renamed["blocks"][0]["block_id"] = "other"
    renewed = (await client.views_update(view_id=view["id"], view=renamed))["view"]
    assert renewed["state"]["values"]["other"]["amount"]["value"] is None


async def test_a_closed_view_is_not_found(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    view = (await client.views_open(trigger_id=trigger, view=modal()))["view"]
    assert await slack.close("U0ADA") is None
    assert slack.view("U0ADA") is None
    assert await refusal_of(client.views_update(view_id=view["id"], view=modal())) == "not_found"
    with pytest.raises(LookupError):
        await slack.close("U0ADA")


async def test_an_external_id_identifies_a_view_and_is_unique(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    await client.views_open(trigger_id=trigger, view=modal(external_id="charge-1"))
    await client.views_update(external_id="charge-1", view=modal("Two", external_id="charge-1"))
    front = slack.view("U0ADA")
    assert front is not None
    assert front["title"]["text"] == "Two"
    again = client.views_push(
        trigger_id=await trigger_from_modal(slack), view=modal(external_id="charge-1")
    )
    assert await refusal_of(again) == "duplicate_external_id"


async def test_an_external_id_of_a_modal_that_was_never_closed_stays_taken(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    await client.views_open(trigger_id=trigger, view=modal(external_id="left"))
    second = (await slack.command("U0ADA", "/billing")).body["trigger_id"]
    await client.views_open(trigger_id=second, view=modal())
    third = (await slack.command("U0ADA", "/billing")).body["trigger_id"]
    again = client.views_open(trigger_id=third, view=modal(external_id="left"))
    assert await refusal_of(again) == "duplicate_external_id"


async def test_a_stack_holds_three_views(slack: SlackSandbox, client: AsyncWebClient, trigger: str) -> None:
    root = (await client.views_open(trigger_id=trigger, view=modal("1")))["view"]
    for title in "23":
        pushed = (await client.views_push(trigger_id=await trigger_from_modal(slack), view=modal(title)))[
            "view"
        ]
        assert pushed["root_view_id"] == root["id"]
    assert [view["title"]["text"] for view in slack.views("U0ADA")] == ["1", "2", "3"]
    fourth = client.views_push(trigger_id=await trigger_from_modal(slack), view=modal("4"))
    assert await refusal_of(fourth) == "push_limit_reached"
    await slack.close("U0ADA")
    assert [view["title"]["text"] for view in slack.views("U0ADA")] == ["1", "2"]


async def test_a_push_needs_a_trigger_from_a_modal(client: AsyncWebClient, trigger: str) -> None:
    assert await refusal_of(client.views_push(trigger_id=trigger, view=modal())) == ("invalid_trigger_id")


async def test_a_modal_belongs_to_one_person(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    await client.views_open(trigger_id=trigger, view=modal())
    assert slack.view("U0GRACE") is None
    with pytest.raises(LookupError, match="reachable"):
        await slack.click("U0GRACE", "more")


async def test_view_closed_is_sent_when_the_view_requested_it(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    await client.views_open(trigger_id=trigger, view=modal(notify_on_close=True))
    delivery = await slack.close("U0ADA")
    assert delivery is not None
    assert (delivery.kind, delivery.status) == ("view_closed", 200)
    assert delivery.body["is_cleared"] is False
    assert delivery.body["view"]["callback_id"] == "buy"


async def test_clear_on_close_closes_the_whole_stack(
    slack: SlackSandbox, client: AsyncWebClient, trigger: str
) -> None:
    await client.views_open(trigger_id=trigger, view=modal(notify_on_close=True))
    await client.views_push(
        trigger_id=await trigger_from_modal(slack), view=modal("2", clear_on_close=True)
    )
    delivery = await slack.close("U0ADA")
    assert slack.views("U0ADA") == []
    assert delivery is not None
    assert delivery.body["is_cleared"] is True


async def test_home_is_published_for_one_person_and_checks_the_hash(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    home: Json = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await client.views_publish(user_id="U0ADA", view=home))["view"]
    assert slack.home("U0ADA") == first
    assert slack.home("U0GRACE") is None
    await client.views_publish(user_id="U0ADA", view=home, hash=first["hash"])
    stale = client.views_publish(user_id="U0ADA", view=home, hash=first["hash"])
    assert await refusal_of(stale) == "hash_conflict"
    assert await refusal_of(client.views_publish(user_id="U0ADA", view=modal())) == ("invalid_arguments")


@pytest.mark.usefixtures("acking")
async def test_opening_home_sends_an_event(slack: SlackSandbox) -> None:
    delivery = await slack.open_home("U0ADA")
    assert delivery is not None
    assert (delivery.kind, delivery.status) == ("event", 200)
    event = delivery.body["event"]
    assert (event["type"], event["tab"], event["channel"]) == (
        "app_home_opened",
        "home",
        slack.dm("U0ADA"),
    )
