"""The billing permission: asked for where it is missing, there when it has come, gone with its grant."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from sqlalchemy import select
from sqlalchemy import text as sql

from bot.domain.charge import ChargeState
from bot.sandbox.portal import Fault
from bot.storage.deliveries import wake_delivery, watch_in_modal
from bot.storage.tables import deliveries
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import ask, buy_without_permission, disconnect, modal

if TYPE_CHECKING:
    from bot.storage.database import Database


@pytest.mark.behavior(10)
async def test_a_connection_without_the_permission_leads_with_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    assert house.answer().buttons[1:] == ["Add funds", "Auto-reload", "Plan", "Enable billing"]
    styles = house.answer().styles
    assert (styles["Enable billing"], styles["Add funds"]) == ("primary", None)
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: house.answer().code)
    house.portal.approve(house.answer().code)
    await house.until(lambda: "Continue with /billing buy" in house.answer().buttons)
    await house.slack.click_text(ADA, "Continue with /billing buy")
    await house.until(lambda: house.modal().title == "Add funds")


async def test_auto_reload_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing auto-reload 5 25", "Turn on")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in house.modal().buttons)
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: house.modal().code)
    house.portal.approve(house.modal().code)
    await house.until(lambda: "Continue with /billing auto-reload" in house.modal().buttons)


@pytest.mark.behavior(42)
async def test_enabling_billing_for_a_command_refuses_another_account(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: house.answer().code)
    house.portal.approve(house.answer().code, person="grace")
    await house.until(lambda: "a different account or organization" in house.last_ephemeral()["text"])


async def test_enabling_billing_while_the_switch_is_off_says_what_is_missing(house: House) -> None:
    await buy_without_permission(house)
    code = await house.enable_billing()
    house.portal.set_scenario("acme", "switch-off")
    house.portal.approve(code)
    message = await house.replied("$50 cannot go on yet")
    assert "Remote Spending is turned off" in message["text"]
    assert "Resume $50" not in Shown(message).text


async def test_a_plan_change_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in house.modal().buttons)


@pytest.mark.behavior(40)
async def test_a_permission_that_arrives_while_the_portal_refuses_the_charge_is_noticed(
    house: House,
) -> None:
    await house.link(billing=False)
    held = Fault(seconds=0.6, after_work=True)
    house.portal.fail("/api/billing/charge", held, method="POST")
    await house.buy("50")
    await house.until(lambda: house.portal.charge_posts)
    await house.link()
    await house.told("$50 can go on")


@pytest.mark.behavior(40)
async def test_resume_disappears_when_the_permission_is_lost(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    await house.told("$50 can go on")
    await disconnect(house)
    message = await house.told("One-time setup")
    assert "Resume" not in Shown(message).text


async def test_a_purchase_resumed_almost_a_day_later_is_followed(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        house.portal_clock.speed = 1
        await house.link(billing=False, minutes=60 * 48)
        await house.buy("50")
        await house.told("One-time setup")
        frozen.tick(timedelta(hours=23, minutes=59))
        house.portal.set_scenario("acme", "pending-for-ever")
        await house.link(minutes=60 * 48)
        await house.told("$50 can go on")
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Resume $50")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        charge = (await house.charges())[0]
        async with house.app.runtime.database.transaction() as connection:
            due = (await connection.execute(sql("SELECT due_at FROM charges"))).scalar_one()
        assert due is not None
        assert charge.confirmed_at is not None


async def test_a_cancelled_link_in_a_thread_loses_its_button(house: House) -> None:
    await buy_without_permission(house)
    await house.enable_billing()
    await house.slack.click_text(ADA, "Cancel", in_="message")
    message = await house.replied("Connecting was cancelled")
    assert "Open Nous Portal" not in Shown(message).text
    assert house.slack.ephemerals(ADA) == []


async def test_a_link_cancelled_before_slack_answers_loses_its_button(house: House) -> None:
    await buy_without_permission(house)
    house.slack.faults.add("chat.postMessage", "late", seconds=0.5)
    await house.enable_billing()
    await house.slack.click_text(ADA, "Cancel", in_="message")
    message = await house.replied("Connecting was cancelled")
    assert "Open Nous Portal" not in Shown(message).text
    assert house.slack.ephemerals(ADA) == []


async def test_two_clicks_on_enable_billing_leave_one_link_that_works(house: House) -> None:
    await buy_without_permission(house)
    await house.slack.close(ADA, everything=True)
    clicks = (house.slack.click_text(ADA, "Enable billing", in_="message") for _ in range(2))
    await asyncio.gather(*clicks)

    def living() -> list[str]:
        return [code for reply in house.replies() if (code := Shown(reply).code)]

    await house.until(lambda: any("newer link" in each["text"] for each in house.replies()))
    await house.until(lambda: len(living()) == 1)
    house.portal.approve(living()[0])
    await house.told("$50 can go on")


@pytest.mark.behavior(37)
@pytest.mark.behavior(40)
async def test_the_same_charge_resumes_after_the_one_time_setup(house: House) -> None:
    await buy_without_permission(house)
    assert house.portal.charges == []
    key = (
        house.portal.charge_posts[0].key
        if house.portal.charge_posts
        else (await house.charges())[0].idempotency_key
    )

    assert "Resume" not in house.last_message().text
    house.portal.approve(await house.enable_billing())
    used = await house.replied("Billing is enabled: $50 can go on")
    assert [block["type"] for block in used["blocks"]] == ["section"], "the used link keeps no button"
    await house.told("Billing is enabled: $50 can go on")
    assert len(house.dm()) == 1, "one message, brought up to date"
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: house.portal.charges)
    await house.until(lambda: "$50 added to your balance" in house.dm()[0]["text"])
    assert [charge.idempotency_key for charge in house.portal.charges] == [key]
    asked = next(each for each in reversed(house.portal.requests) if each.path == "/api/oauth/device/code")
    assert "billing%3Amanage" in str(asked.body) or "billing:manage" in str(asked.body)


@pytest.mark.behavior(61)
async def test_an_old_resume_button_shows_how_the_purchase_ended(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    resumable = await house.told("$50 can go on")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("$50 added to your balance")
    await house.click_in(resumable, "Resume $50")
    await house.until(lambda: "$50 added to your balance" in house.last_ephemeral()["text"])
    assert len(house.portal.charges) == 1


async def test_billing_can_be_enabled_from_the_open_modal_too(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.until(lambda: house.modal().title == "One-time setup")
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: house.modal().code)
    code = house.modal().code
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in house.modal().text)
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: "$50 added to your balance" in house.modal().text)


@pytest.mark.behavior(39)
async def test_a_connection_granted_without_the_permission_says_so_and_charges_nothing(
    house: House,
) -> None:
    await buy_without_permission(house)
    house.portal.approve(await house.enable_billing(), billing=False)
    message = await house.replied("an org admin or owner has to approve it; your card was not charged")
    assert "Resume" not in house.last_message().text
    assert "Resume" not in Shown(message).text
    assert house.portal.charges == []


@pytest.mark.behavior(40)
async def test_a_charge_refused_despite_the_permission_asks_again_and_does_not_loop(
    house: House,
) -> None:
    await buy_without_permission(house)
    await house.link()
    await house.told("$50 can go on")
    house.portal.set_scenario("acme", "insufficient-scope")
    posts = len(house.portal.charge_posts)
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: len(house.portal.charge_posts) > posts)
    message = await house.told("One-time setup")
    await house.state(ChargeState.NEEDS_SCOPE)
    assert "Resume" not in Shown(message).text
    assert len(house.portal.charge_posts) == posts + 1


@pytest.mark.behavior(40)
async def test_a_resume_that_stands_where_the_permission_is_missing_says_so(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    resumable = await house.told("$50 can go on")
    house.portal.set_scenario("acme", "insufficient-scope")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("One-time setup")
    await house.click_in(resumable, "Resume $50")
    await house.until(lambda: "Your connection is still view-only" in house.last_ephemeral()["text"])
    assert "Enable billing" in house.answer().buttons
    assert house.portal.charges == []


@pytest.mark.behavior(42)
async def test_enabling_billing_with_another_account_changes_nothing(house: House) -> None:
    await buy_without_permission(house)
    house.portal.approve(await house.enable_billing(), person="grace")
    await house.replied("a different account or organization")
    link = await house.app.runtime.accounts.link(house.identity())
    assert link.account.email == "ada@acme.example"
    assert house.portal.charges == []


async def test_resume_checks_the_billing_state_again(house: House) -> None:
    await buy_without_permission(house)
    code = await house.enable_billing()
    house.portal.set_scenario("acme", "no-card")
    house.portal.approve(code)
    message = await house.replied("*Connected*")
    assert "There is no payment method on file" in message["text"]
    await house.told("$50 can go on")
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: "There is no payment method on file" in house.last_ephemeral()["text"])
    await house.state(ChargeState.NEEDS_SCOPE)
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("$50 added to your balance")


async def test_resume_in_the_open_modal_shows_the_outcome_there(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.until(lambda: house.modal().title == "One-time setup")
    await house.slack.click_text(ADA, "Enable billing", in_="view")
    await house.until(lambda: house.modal().code)
    house.portal.approve(house.modal().code)
    await house.until(lambda: "Resume $50" in house.modal().buttons)
    await house.slack.click_text(ADA, "Resume $50", in_="view")
    await house.until(lambda: "$50 added to your balance" in house.modal().text)


async def test_an_outcome_does_not_overwrite_what_the_person_has_opened_in_the_modal_since(
    house: House,
) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.until(lambda: house.modal().title == "One-time setup")
    await house.state(ChargeState.NEEDS_SCOPE)
    charge = (await house.charges())[0]
    database = house.app.runtime.database
    await house.until_async(lambda: is_shown(database))
    async with database.transaction() as transaction:
        # As a wake leaves the row that comes while its delivery runs.
        await watch_in_modal(transaction, charge.id, str((house.slack.view(ADA) or {})["id"]))
    await house.slack.click_text(ADA, "Enable billing", in_="view")
    await house.until(lambda: house.modal().code)
    async with database.transaction() as transaction:
        await wake_delivery(transaction, charge.id)
    await house.until_async(lambda: is_shown(database))
    assert house.modal().code


async def is_shown(database: Database) -> bool:
    """Tell whether the purchase's delivery has shown the newest version."""
    async with database.read() as connection:
        row = (await connection.execute(select(deliveries))).one()
    return bool(row.drawn == row.wakes and row.lease_token is None)


@pytest.mark.behavior(37)
async def test_the_one_time_setup_survives_a_restart_at_every_step(house: House) -> None:
    await buy_without_permission(house)
    await house.restart()
    code = await house.enable_billing()
    await house.restart()
    house.portal.approve(code)
    await house.told("$50 can go on")
    await house.restart()
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: house.portal.charges)
    await house.restart()
    await house.until(lambda: "$50 added to your balance" in house.dm()[0]["text"])
    assert len(house.portal.charges) == 1
