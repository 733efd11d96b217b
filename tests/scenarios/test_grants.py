"""A grant's life with the live portal: scopes, waits, the firewall, thirty days."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import select
from sqlalchemy import text as sql

from bot.sandbox.portal import FIREWALL, FIREWALL_DENIES, Fault
from bot.storage.tables import deliveries
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import (
    account_calls,
    ask,
    buy_without_permission,
    connecting,
    later,
    link_of,
)

AWAY = Fault(status=503, body='{"error": "temporarily_unavailable"}', retry_after="1")
DAY = 24 * 3600


async def test_the_link_message_says_to_sign_in_first(house: House) -> None:
    await connecting(house)
    assert "Sign in to the portal in that browser first" in house.last_ephemeral()["text"]


async def test_a_login_without_an_organization_gets_a_message_and_leaves_no_tokens(house: House) -> None:
    house.portal.approve(await connecting(house), person="noah")
    await house.until(lambda: "does not belong to an organization" in house.last_ephemeral()["text"])
    assert "support@nousresearch.com" in house.last_ephemeral()["text"]
    async with house.app.runtime.database.transaction() as connection:
        row = (await connection.execute(sql("SELECT state, sealed_tokens FROM device_grants"))).one()
    assert tuple(row) == ("no_organization", None)
    assert await link_of(house) is None


async def test_an_account_that_cannot_be_stored_gets_a_message(house: House) -> None:
    body = json.dumps({"user": {"email": "a@x"}, "organisation": {"id": "o" * 300}})
    house.portal.fail("/api/oauth/account", Fault(status=200, body=body), times=9)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "can't be used here" in house.last_ephemeral()["text"])
    assert await link_of(house) is None


@pytest.mark.parametrize(
    "fault", [AWAY, FIREWALL_DENIES, Fault(drop=True)], ids=["503", "firewall", "lost"]
)
async def test_connecting_waits_for_an_account_call_that_is_unavailable(house: House, fault: Fault) -> None:
    house.portal.fail("/api/oauth/account", fault, times=2)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Approved.*" in house.last_ephemeral()["text"])
    assert "Open Nous Portal" not in house.answer().text
    await later(house, lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_enabling_billing_waits_for_an_account_call_that_is_unavailable(house: House) -> None:
    await buy_without_permission(house)
    code = await house.enable_billing()
    house.portal.fail("/api/oauth/account", AWAY, times=1)
    house.portal.approve(code)
    await house.replied("*Approved.*")
    await later(house, lambda: "Billing is enabled: $50 can go on" in house.dm()[-1]["text"])


async def test_a_token_that_expired_during_an_outage_is_renewed_first(house: House) -> None:
    house.portal.fail("/api/oauth/account", AWAY, times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Approved.*" in house.last_ephemeral()["text"])
    house.portal.expire_access_tokens()
    await later(house, lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_connect_says_that_the_portal_refuses_the_login(house: House) -> None:
    refused = Fault(status=400, body='{"error": "invalid_scope"}')
    house.portal.fail("/api/oauth/device/code", refused, times=9)
    assert "does not grant this app what it asks for" in await ask(house, "/billing connect")


@pytest.mark.behavior(37)
async def test_the_first_login_asks_for_no_more_than_it_needs(house: House) -> None:
    await connecting(house)
    asked = next(each for each in house.portal.requests if each.path == "/api/oauth/device/code")
    assert b"tool" not in asked.body


@pytest.mark.behavior(43)
async def test_the_firewalls_block_slows_the_polling_of_a_login(house: House) -> None:
    house.portal.fail("/api/oauth/token", FIREWALL, times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"], seconds=15)
    first, second = (each.at for each in house.portal.requests if each.path == "/api/oauth/token")
    assert second - first >= 5


@pytest.mark.behavior(48)
async def test_the_firewalls_block_of_a_refresh_ends_no_connection(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "firewall-refresh")
    assert "Couldn't load billing" in await ask(house, "/billing")
    house.portal.set_scenario("acme", "by-amount")
    assert "$155.70 to use" in await ask(house, "/billing")


@pytest.mark.behavior(47)
async def test_a_refresh_refused_without_a_reason_ends_the_connection(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "refresh-forbidden")
    assert "Your connection to Nous Portal has ended" in await ask(house, "/billing")
    link = await link_of(house)
    assert link is not None
    assert link.dead
    assert house.app.runtime.metrics.links_lost.labels("refused")._value.get() == 1


async def test_the_overview_warns_three_days_before_the_connection_ends(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    assert "Connection" not in await ask(house, "/billing")
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=27, minutes=1))
        assert "Your connection to Nous Portal ends" in await ask(house, "/billing")
        assert house.answer().buttons.count("Connect again") == 1
        await house.slack.open_home(ADA)
        await house.until(lambda: "Connect again" in house.home().text)
        await house.slack.click_text(ADA, "Connect again", in_="ephemeral")
        await house.until(lambda: house.answer().code)


async def test_a_charge_in_flight_when_the_connection_ends_goes_on_after_connecting_again(
    house: House,
) -> None:
    await house.link()
    house.portal.set_scenario("acme", "pending-for-ever")
    await house.buy("50")
    await house.submitted()
    house.portal.advance(31 * DAY)
    message = await house.told("may or may not have been charged")
    assert "Connect" in Shown(message).buttons
    house.portal.charges[0].final_status = "settled"
    house.portal.charges[0].settle_at = house.portal.now()
    await house.connect()
    await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1


async def test_a_charge_without_a_clear_answer_goes_on_after_connecting_again(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        house.portal_clock.speed = 1
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), method="POST", times=99)
        await house.buy("50")
        await house.unanswered()
        house.portal.advance(31 * DAY)
        frozen.tick(61)
        await house.told("may or may not have been charged")
        house.portal.clear_faults()
        house.portal.advance(3)
        await house.link(minutes=60)
        house.app.runtime.accounts.forget_cached(house.identity().key)
        frozen.tick(301)
        house.app.engine.wake("charge")
        await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1


async def test_a_plain_reconnect_asks_for_no_scope_of_the_connection_before(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "refresh-forbidden")
    assert "has ended" in await ask(house, "/billing")
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: house.answer().code)
    asked = [each for each in house.portal.requests if each.path == "/api/oauth/device/code"][-1]
    assert b"tool" not in asked.body


async def test_the_app_waits_as_long_as_the_firewall_asks(house: House) -> None:
    await house.link(minutes=1)
    await house.app.runtime.accounts.access_token(house.identity())
    house.portal.set_scenario("acme", "pending-for-ever")
    await house.buy("50")
    await house.submitted()
    house.portal.expire_access_tokens()
    refreshes = sum(each.path == "/api/oauth/token" for each in house.portal.requests)
    house.portal.fail("/api/oauth/token", replace(FIREWALL, retry_after="20"), times=99)
    await house.until(
        lambda: sum(each.path == "/api/oauth/token" for each in house.portal.requests) > refreshes
    )
    house.app.runtime.accounts.forget_cached(house.identity().key)
    polls = house.polls()
    await asyncio.sleep(1)  # twenty intervals, in which nothing may happen
    assert house.polls() - polls <= 1


async def test_disconnecting_ends_the_links_that_are_open(house: House) -> None:
    await connecting(house)
    shown = house.last_ephemeral()
    await house.slack.command(ADA, "/billing disconnect")
    await house.until(lambda: not any(Shown(each).code for each in house.slack.ephemerals(ADA)))
    assert shown


async def test_a_cancelled_link_is_not_called_approved(house: House) -> None:
    house.portal.fail("/api/oauth/account", replace(AWAY, seconds=1.0), times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: account_calls(house) == 1)
    await house.slack.click_text(ADA, "Cancel")
    await house.until(lambda: "Connecting was cancelled" in house.last_ephemeral()["text"])
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "Connecting was cancelled" in house.last_ephemeral()["text"]


async def test_the_day_before_a_connection_ends_one_message_says_so(house: House) -> None:
    await house.link()
    runtime = house.app.runtime
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=28))
        await runtime.reminders.remind()
        assert house.dm() == []
        frozen.tick(timedelta(days=1, minutes=1))
        await runtime.reminders.remind()
        house.app.engine.wake("delivery")
        message = await house.told("Your connection to Nous Portal ends soon")
        assert "Connect again" in Shown(message).buttons
        frozen.tick(timedelta(hours=2))
        await runtime.reminders.remind()
        await house.until_async(lambda: _rests(house))
    assert len(house.dm()) == 1


async def test_whoever_has_connected_again_is_not_reminded_of_the_former_end(house: House) -> None:
    await house.link()
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=29, minutes=1))
        await house.link()
        await house.app.runtime.reminders.remind()
    assert house.dm() == []


async def _rests(house: House) -> bool:
    async with house.app.runtime.database.read() as connection:
        rows = (await connection.execute(select(deliveries.c.due_at))).scalars().all()
    return rows == [None]
