"""The billing permission: asked for where it is missing, there when it has come, gone with its grant."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text as sql

from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.steps import ask, buttons, buy_without_permission, modal


@pytest.mark.behavior(10)
async def test_a_connection_without_the_permission_leads_with_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    assert buttons(house.last_ephemeral())[:2] == ["Enable billing", "Add funds"]
    styles = {
        element["text"]["text"]: element.get("style")
        for block in house.last_ephemeral()["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }
    assert (styles["Enable billing"], styles["Add funds"]) == ("primary", None)
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    house.portal.approve(house.user_code())
    await house.until(lambda: "Continue with /billing buy" in str(house.last_ephemeral()["blocks"]))
    await house.slack.click_text(ADA, "Continue with /billing buy")
    await house.until(lambda: house.view_title() == "Add funds")


async def test_auto_reload_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing auto-reload 5 25", "Turn on")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    house.portal.approve(str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0])
    await house.until(lambda: "Continue with /billing auto-reload" in str(house.slack.view(ADA)))


@pytest.mark.behavior(42)
async def test_enabling_billing_for_a_command_refuses_another_account(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    house.portal.approve(house.user_code(), person="grace")
    await house.until(lambda: "another account or organization" in house.last_ephemeral()["text"])


async def test_enabling_billing_while_the_switch_is_off_says_what_is_missing(house: House) -> None:
    await buy_without_permission(house)
    code = await house.enable_billing()
    house.portal.set_scenario("acme", "switch-off")
    house.portal.approve(code)
    message = await house.replied("$50 cannot go on yet")
    assert "Remote Spending is switched off" in message["text"]
    assert "Resume $50" not in str(message["blocks"])


async def test_a_plan_change_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in str(house.slack.view(ADA)))


@pytest.mark.behavior(40)
async def test_a_permission_that_comes_while_the_portal_misses_it_is_seen(house: House) -> None:
    await house.link(billing=False)
    held = Fault(seconds=0.6, after_work=True)
    house.portal.fail("/api/billing/charge", held, method="POST")
    await house.buy("50")
    await house.until(lambda: house.portal.charge_posts)
    await house.link()
    await house.told("$50 can go on")


@pytest.mark.behavior(40)
async def test_resume_goes_when_its_grant_does(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    await house.told("$50 can go on")
    await house.slack.command(ADA, "/billing disconnect")
    message = await house.told("One-time setup")
    assert "Resume" not in str(message["blocks"])


async def test_a_purchase_resumed_late_in_its_day_is_followed_for_a_day(house: House) -> None:
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


async def test_a_cancelled_link_in_a_thread_looks_dead(house: House) -> None:
    await buy_without_permission(house)
    await house.enable_billing()
    await house.slack.click_text(ADA, "Cancel", in_="message")
    message = await house.replied("Connecting was cancelled")
    assert "Open Nous Portal" not in str(message["blocks"])
    assert house.slack.ephemerals(ADA) == []


async def test_a_link_cancelled_before_slack_has_answered_looks_dead(house: House) -> None:
    await buy_without_permission(house)
    house.slack.faults.add("chat.postMessage", "late", seconds=0.5)
    await house.enable_billing()
    await house.slack.click_text(ADA, "Cancel", in_="message")
    message = await house.replied("Connecting was cancelled")
    assert "Open Nous Portal" not in str(message["blocks"])
    assert house.slack.ephemerals(ADA) == []


async def test_of_two_clicks_on_enable_billing_one_link_lives_and_it_works(house: House) -> None:
    await buy_without_permission(house)
    await house.slack.close(ADA, everything=True)
    clicks = (house.slack.click_text(ADA, "Enable billing", in_="message") for _ in range(2))
    await asyncio.gather(*clicks)

    def living() -> list[dict[str, object]]:
        return [each for each in house.replies() if "user_code=" in str(each["blocks"])]

    await house.until(lambda: any("newer link" in each["text"] for each in house.replies()))
    await house.until(lambda: len(living()) == 1)
    house.portal.approve(house.user_code(ADA, living()[0]))
    await house.told("$50 can go on")
