"""Every balance: whose, as of when, refreshed, and following the purchases made beside it."""

from __future__ import annotations

import pytest

from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.steps import account_calls, ask, buy_from_overview, locked, modal


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("chat.postMessage", "messages_tab_disabled"),
        ("chat.postMessage", "restricted_action"),
        ("conversations.open", "user_not_found"),
    ],
)
async def test_the_open_modal_gets_its_outcome_although_no_message_can_be_posted(
    house: House, method: str, error: str
) -> None:
    await house.link()
    house.slack.faults.add(method=method, kind="error", error=error, times=99)
    await house.buy("50")
    await house.until(lambda: "$50 added to your balance" in house.modal().text)


async def test_a_balance_shows_its_time_and_a_refresh_button(house: House) -> None:
    await house.link()
    assert "As of" in await ask(house, "/billing")
    house.portal.organizations["acme"].balance += 10
    shown = len(house.slack.ephemerals(ADA))
    await house.slack.click_text(ADA, "Refresh")
    await house.until(lambda: "$165.70 to use" in house.last_ephemeral()["text"])
    assert len(house.slack.ephemerals(ADA)) == shown
    await house.slack.open_home(ADA)
    await house.until(lambda: "$165.70 to use" in house.home().text)
    house.portal.organizations["acme"].balance += 10
    await house.slack.click_text(ADA, "Refresh", in_="home")
    await house.until(lambda: "$175.70 to use" in house.home().text)


async def test_the_amount_modal_is_refreshed_and_keeps_what_was_typed(house: House) -> None:
    await house.link()
    await modal(house, "/billing buy", "Your balance is *$142.50*")
    await house.slack.type(ADA, "amount_custom", "77")
    house.portal.organizations["acme"].balance += 10
    await house.slack.click_text(ADA, "Refresh")
    await house.until(lambda: "Your balance is *$152.50*" in house.modal().text)
    await house.slack.submit(ADA)
    await house.until(lambda: house.modal().submit == "Pay $77 now")


async def test_the_overview_follows_a_purchase_made_from_it(house: House) -> None:
    await house.link()
    await buy_from_overview(house)
    await house.told("$50 added to your balance")
    await house.until(lambda: "$205.70 to use" in house.last_ephemeral()["text"])
    assert len(house.slack.ephemerals(ADA)) == 1


async def test_a_purchase_does_not_overwrite_the_message_that_replaced_the_overview(house: House) -> None:
    await house.link(billing=False)
    await buy_from_overview(house)
    await house.told("One-time setup")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Enable billing", in_="ephemeral")
    await house.until(lambda: house.answer().code)
    house.portal.approve(house.answer().code)
    await house.told("$50 can go on")
    await house.until(lambda: "Continue with" in house.answer().text)
    await house.slack.click_text(ADA, "Resume $50", in_="message")
    await house.told("$50 added to your balance")
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "Continue with" in house.answer().text


async def test_app_home_follows_a_purchase_although_no_message_can_be_posted(house: House) -> None:
    await house.link()
    await house.slack.open_home(ADA)
    await house.until(lambda: "$155.70 to use" in house.home().text)
    house.slack.faults.add(method="chat.postMessage", kind="error", error="messages_tab_disabled", times=99)
    await house.buy("50")
    await house.until(lambda: "$205.70 to use" in house.home().text)


async def test_an_overview_that_was_refreshed_while_the_charge_was_pending_follows_it_too(
    house: House,
) -> None:
    await house.link()
    house.portal_clock.speed = 1
    await buy_from_overview(house)
    await house.submitted()
    await house.slack.close(ADA, everything=True)
    asked = account_calls(house)
    await house.slack.click_text(ADA, "Refresh", in_="ephemeral")
    await house.until(lambda: account_calls(house) > asked)
    await house.told("$50 added to your balance")
    await house.until(lambda: "$205.70 to use" in house.last_ephemeral()["text"])


async def test_an_overview_of_another_account_is_left_as_it_is(house: House) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: house.modal().submit)
    await house.slack.close(ADA, everything=True)
    await house.link(ADA, "rolf")
    house.app.runtime.accounts.forget_cached(house.identity().key)
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "$155.70 to use" in house.last_ephemeral()["text"]


async def test_a_slow_answer_to_a_click_in_a_message_leaves_the_message(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.slack.close(ADA, everything=True)
    house.portal.fail("/api/billing/state", Fault(seconds=2.5))
    await house.slack.click_text(ADA, "Show my balance")
    await house.until(lambda: "$205.70 to use" in house.last_ephemeral()["text"])
    assert "$50 added to your balance" in house.dm()[-1]["text"]
    assert len(house.slack.ephemerals(ADA)) == 1


async def test_refresh_works_while_the_database_cannot_be_written(house: House) -> None:
    if not house.app.runtime.database.is_embedded:
        pytest.skip("a PostgreSQL that cannot be written is in tests/outages")
    await house.link()
    await ask(house, "/billing")
    house.portal.organizations["acme"].balance += 10
    async with locked(house.app.runtime.database.url.database):
        await house.slack.click_text(ADA, "Refresh", in_="ephemeral")
        await house.until(lambda: "$165.70 to use" in house.last_ephemeral()["text"])


@pytest.mark.parametrize("command", ["buy", "limit", "subscription"])
async def test_every_modal_with_money_names_the_account_and_the_time(house: House, command: str) -> None:
    await house.link()
    shown = await modal(house, f"/billing {command}", "As of")
    assert "ada@acme.example" in shown.text
    assert "Refresh" in shown.buttons
