"""A confirmation counts for a day: nothing is charged later than that without asking."""

from __future__ import annotations

from datetime import timedelta

import pytest
from freezegun import freeze_time

from bot.domain.charge import ChargeState
from bot.sandbox.portal import Fault
from bot.storage.restored import mark_restored
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import keys_sent


async def confirmed_without_a_worker(house: House) -> None:
    """Confirm $50 while no process works on charges."""
    house.worker = False
    await house.restart()
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.state(ChargeState.CONFIRMED)
    house.worker = True


async def test_a_purchase_confirmed_a_day_ago_is_not_sent_any_more(house: House) -> None:
    await confirmed_without_a_worker(house)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=30))
        await house.restart()
        message = await house.told("This app has no record of sending it; check the portal before you pay")
    assert keys_sent(house) == []
    assert "Open in portal" in " ".join(Shown(message).buttons) or "portal" in message["text"]


async def test_a_purchase_confirmed_within_a_day_is_sent(house: House) -> None:
    await confirmed_without_a_worker(house)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(hours=23))
        await house.restart()
        await house.state(ChargeState.SUBMITTED)
    assert len(keys_sent(house)) >= 1


async def test_an_unanswered_request_is_not_repeated_days_later(house: House) -> None:
    house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
    await house.link()
    await house.buy("50")
    await house.unanswered()
    await house.stop()
    sent = len(keys_sent(house))
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=3))
        await house.start()
        await house.told("may or may not have been charged")
    assert len(keys_sent(house)) == sent


@pytest.mark.parametrize("hours", [1, 30])
async def test_what_was_under_way_in_a_restored_copy_may_have_been_sent(house: House, hours: int) -> None:
    await confirmed_without_a_worker(house)
    await house.slack.command(ADA, "/billing buy 20")
    await house.until(lambda: "Pay $20" in house.modal().submit)
    assert await mark_restored(house.app.runtime.database) == (1, 1)
    house.portal.set_scenario("acme", "no-card")
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(hours=hours))
        await house.restart()
        await house.told("may or may not have been charged")
    await house.slack.submit(ADA)
    await house.until(lambda: "has expired" in house.modal().text or "no longer" in house.modal().text)
