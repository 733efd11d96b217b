"""A charge is polled until the portal says how it ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from freezegun import freeze_time

from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import bought


@pytest.mark.behavior(32)
async def test_the_app_follows_an_overdue_charge_across_restarts_and_updates_its_message(
    house: House,
) -> None:
    house.portal_clock.speed = 0
    with freeze_time(real_asyncio=True) as frozen:
        await house.link(minutes=60 * 24)
        await house.buy("50")
        await house.submitted()
        await house.slack.close(ADA, everything=True)
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.restart()
        polls = house.polls()
        frozen.tick(timedelta(hours=3))
        await house.until(lambda: house.polls() > polls)
        await house.restart()
        house.portal_clock.speed = 100
        frozen.tick(timedelta(hours=2))
        await house.told("$50 added to your balance")
        await house.until(lambda: len(house.replies()) == 2)
    assert len(house.dm()) == 1
    assert len(house.portal.charges) == 1


@pytest.mark.behavior(29)
@pytest.mark.behavior(32)
async def test_a_charge_pending_at_the_time_limit_is_a_timeout_and_not_a_failure(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.06")
        await house.slack.close(ADA, everything=True)
        frozen.tick(299)
        polls = house.polls()
        await house.until(lambda: house.polls() >= polls + 2)
        assert "Adding" in house.dm()[-1]["text"]
        frozen.tick(2)
        message = await house.told("a timeout, not a failure")
        assert "Check again" in Shown(message).buttons
        await house.until(house.replies)


@pytest.mark.behavior(32)
async def test_a_charge_that_settles_after_the_cap_is_told_in_the_same_message(house: House) -> None:
    await house.restart(poll_cap_seconds=20)
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.05")
        await house.slack.close(ADA, everything=True)
        frozen.tick(21)
        await house.told("a timeout, not a failure")
        frozen.tick(31)
        await house.told("$10.05 added to your balance")
        await house.until(lambda: len(house.replies()) == 2)
    assert len(house.dm()) == 1
    assert "added to your balance" in house.replies()[1]["text"]


@pytest.mark.behavior(61)
async def test_check_again_while_still_pending_says_when_it_was_checked(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.06")
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.slack.click_text(ADA, "Check again")
        await house.told("nothing new yet")
    assert len(house.dm()) == 1


@pytest.mark.behavior(35)
@pytest.mark.parametrize("scenario", ["polls-dropped", "polls-unavailable", "polls-rate-limited"])
async def test_polling_continues_after_failed_and_refused_polls(house: House, scenario: str) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.set_scenario("acme", scenario)
        await house.buy("50")
        await house.until(lambda: house.polls() >= 1)
        house.portal.set_scenario("acme", "by-amount")
        frozen.tick(5)
        await house.told("$50 added to your balance", seconds=12)


@pytest.mark.behavior(36)
@pytest.mark.parametrize("retry_after", ["-5", "soon", "Sun, 22 Nov 2020 12:00:00 GMT", "99999999999"])
async def test_a_bad_retry_after_never_ends_the_polling(house: House, retry_after: str) -> None:
    await house.link()
    fault = Fault(status=429, body='{"error": "rate_limited"}', retry_after=retry_after)
    house.portal.fail("/api/billing/charge/", fault, times=1)
    await house.buy("50")
    await house.told("$50 added to your balance", seconds=12)


@pytest.mark.behavior(30)
async def test_the_server_names_the_amount_that_settled(house: House) -> None:
    await house.link()
    body = '{"status": "settled", "amountUsd": "49.5"}'
    house.portal.fail("/api/billing/charge/", Fault(status=200, body=body), times=1)
    await house.buy("50")
    await house.told("$49.50 added to your balance")


async def test_a_slow_settlement_is_notified_in_the_thread(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.05")
        await house.slack.close(ADA, everything=True)
        frozen.tick(41)
        await house.told("added to your balance")
        await house.until(lambda: len(house.replies()) == 1)
