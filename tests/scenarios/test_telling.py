"""One message per charge, whatever Slack does in between."""

from __future__ import annotations

import pytest
from freezegun import freeze_time
from sqlalchemy import update

from bot.sandbox.portal import Fault
from bot.storage.leases import wake
from bot.storage.tables import charges, deliveries
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import bought


@pytest.mark.parametrize("times", [1, 2])
async def test_a_message_whose_answer_was_lost_is_found_and_not_repeated(house: House, times: int) -> None:
    await house.link()
    house.slack.faults.add(method="chat.postMessage", kind="drop_after", times=times)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 1


async def test_a_message_that_never_arrived_is_posted_later(house: House) -> None:
    await house.link()
    house.slack.faults.add(method="chat.postMessage", kind="drop_before", times=1)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 1


@pytest.mark.parametrize("error", ["internal_error", "fatal_error"])
async def test_an_error_that_may_have_posted_is_looked_up_first(house: House, error: str) -> None:
    await house.link()
    house.slack.faults.add(method="chat.postMessage", kind="error", error=error, times=1)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 1
    methods = [call.method for call in house.slack.api_calls]
    assert methods.index("conversations.history") < len(methods) - methods[::-1].index("chat.postMessage")


async def test_the_app_waits_for_slacks_rate_limit(house: House) -> None:
    await house.link()
    house.slack.faults.add(method="chat.postMessage", kind="ratelimited", times=1, retry_after=1)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 1


async def test_a_reply_whose_answer_was_lost_is_not_repeated(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    await house.slack.close(ADA, everything=True)
    await house.told("Adding")
    house.slack.faults.add(method="chat.postMessage", kind="drop_after", times=1)
    await house.told("was declined")
    await house.until(lambda: any(call.method == "conversations.replies" for call in house.slack.api_calls))
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert len(house.replies()) == 1


async def test_the_message_is_edited_after_slack_comes_back(house: House) -> None:
    await house.link()
    house.slack.faults.add(method="chat.update", kind="drop_before", times=2)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 1


async def test_the_charge_itself_never_waits_for_slack(house: House) -> None:
    await house.link()
    house.slack.faults.add(method="conversations.open", kind="drop_before", times=3)
    await house.buy("50")
    await house.until(lambda: house.portal.charges and house.portal.charges[0].status == "settled")
    await house.told("$50 added to your balance", seconds=15)


async def test_the_message_says_in_text_all_that_its_blocks_say(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    message = await house.told("was declined")
    for block in message["blocks"]:
        words = block.get("text", {}).get("text", "")
        assert words in message["text"]
        for element in block.get("elements", []):
            if isinstance(element.get("text"), str):
                assert element["text"] in message["text"]


async def test_messages_go_only_to_the_person_who_confirmed(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    posted = [call for call in house.slack.api_calls if call.method == "chat.postMessage"]
    assert {call.args["channel"] for call in posted} == {house.slack.dm(ADA)}


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_new_message_replaces_one_that_cannot_be_edited(house: House, error: str) -> None:
    await house.link()
    await house.buy("50")
    await house.told("Adding")
    house.slack.faults.add(method="chat.update", kind="error", error=error, times=1)
    await house.told("$50 added to your balance")
    assert len(house.dm()) == 2
    await house.until(lambda: house.modal().title == "Done")


@pytest.mark.behavior(65)
async def test_a_reply_is_not_repeated_after_a_restart(house: House) -> None:
    await house.link()
    await house.slack.open_home(ADA)
    await house.buy("10.01")
    await house.slack.close(ADA, everything=True)
    await house.told("was declined")
    await house.until(lambda: len(house.replies()) == 1)
    await house.restart()
    (charge,) = await house.charges()
    async with house.app.runtime.database.transaction() as connection:
        await wake(connection, deliveries, charge.id)
    published = sum(call.method == "views.publish" for call in house.slack.api_calls)
    await house.until(
        lambda: sum(call.method == "views.publish" for call in house.slack.api_calls) > published
    )
    assert len(house.replies()) == 1
    assert len(house.dm()) == 1


async def test_an_end_that_the_previous_release_has_stored_reaches_the_message(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.link(minutes=60 * 48)
        house.portal.set_scenario("acme", "pending-for-ever")
        await house.buy("50")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.until(lambda: house.app.engine.in_flight == 0)
        runtime = house.app.runtime
        ended = {"state": "settled", "ended_at": runtime.clock.now(), "due_at": None}
        async with runtime.database.transaction() as transaction:
            await transaction.execute(update(charges).values(**ended))
        frozen.tick(16 * 60)
        house.app.engine.wake("delivery")
        await house.told("$50 added to your balance")
    assert len(house.dm()) == 1


async def test_an_outcome_that_the_open_modal_shows_is_not_told_again_in_the_thread(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    await house.told("was declined")
    await house.until(lambda: house.modal().title == "Not paid")
    await house.until(lambda: house.app.engine.in_flight == 0)
    await house.restart()
    (charge,) = await house.charges()
    async with house.app.runtime.database.transaction() as transaction:
        assert await wake(transaction, deliveries, charge.id)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert house.replies() == []


async def test_an_open_modal_says_how_long_a_purchase_takes_and_then_its_end(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.06")
        assert "Usually takes a few seconds." in house.modal().text
        frozen.tick(11)
        house.app.engine.wake("delivery")
        await house.until(lambda: "Taking longer than usual (11 s)…" in house.modal().text)
        await house.told("This is taking longer than usual.")
        frozen.tick(10)
        house.app.engine.wake("delivery")
        await house.until(lambda: "Taking longer than usual (21 s)…" in house.modal().text)
        frozen.tick(300)
        await house.until(lambda: house.modal().title == "Still pending")
    assert len(house.dm()) == 1


async def test_a_modal_in_which_something_else_was_opened_is_left_alone(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.06")
        await house.slack.close(ADA, everything=True)
        await house.slack.command(ADA, "/billing limit")
        await house.until(lambda: house.modal().title == "Monthly limit")
        frozen.tick(11)
        house.app.engine.wake("delivery")
        await house.told("This is taking longer than usual.")
        await house.until(lambda: house.app.engine.in_flight <= 1)
        assert house.modal().title == "Monthly limit"


async def test_a_refusal_says_in_how_long_to_try_again_and_later_that_it_is_time(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.07")
        await house.told("Try again in about")
        frozen.tick(301)
        house.app.engine.wake("delivery")
        await house.told("You can try again now.")
        await house.until(lambda: "You can try again now." in house.modal().text)
    assert len(house.dm()) == 1
    assert house.replies() == []


async def test_a_failed_purchase_is_tried_again_by_its_button(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    await house.slack.close(ADA, everything=True)
    await house.told("was declined")
    await house.slack.click_text(ADA, "Try $10.01 again")
    await house.until(lambda: house.modal().submit == "Pay $10.01 now")


async def test_a_settlement_without_a_balance_is_told_all_the_same(house: House) -> None:
    await house.link()
    await house.buy("50")
    house.portal.fail("/api/billing/state", Fault(status=503), times=99)
    message = await house.told("$50 added to your balance")
    assert "New balance" not in message["text"]
    assert "Acme Research" in message["text"]


async def test_the_button_to_try_again_comes_when_the_time_has_come(house: House) -> None:
    await house.link()
    refusal = Fault(status=503, body='{"error": "temporarily_unavailable"}', retry_after="3")
    house.portal.fail("/api/billing/charge", refusal, times=1, method="POST")
    await house.buy("50")
    message = await house.told("Try again in about 10 seconds.")
    assert "Try $50 again" not in Shown(message).buttons
    message = await house.told("You can try again now.")
    assert "Try $50 again" in Shown(message).buttons
