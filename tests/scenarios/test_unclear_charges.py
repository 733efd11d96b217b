"""Charges to which the portal gave no clear answer."""

from __future__ import annotations

import pytest
from freezegun import freeze_time

from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import bought, disconnect, keys_sent


@pytest.mark.behavior(24)
@pytest.mark.behavior(26)
@pytest.mark.parametrize("amount", ["10.10", "10.12", "10.13"])
async def test_the_app_repeats_an_unanswered_charge_with_the_same_key(house: House, amount: str) -> None:
    await house.link()
    await house.buy(amount)
    await house.told(f"${amount} added to your balance", seconds=12)
    assert len(keys_sent(house)) >= 2
    assert len(set(keys_sent(house))) == 1
    assert len(house.portal.charges) == 1


@pytest.mark.behavior(25)
@pytest.mark.behavior(26)
@pytest.mark.behavior(28)
@pytest.mark.parametrize("amount", ["10.11", "10.14", "10.15", "10.16", "10.17"])
async def test_a_charge_is_called_unclear_after_a_minute_without_an_answer(
    house: House, amount: str
) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy(amount)
        await house.told("Adding")
        await house.unanswered()
        frozen.tick(61)
        message = await house.told("may or may not have been charged")
        assert "was not charged" not in message["text"]
        assert "declined" not in message["text"]
        assert "Check again" in Shown(message).buttons
        assert len(set(keys_sent(house))) == 1
        assert len(house.portal.charges) <= 1
        await house.until(lambda: house.modal().title == "No clear answer")


@pytest.mark.behavior(26)
async def test_check_again_resolves_an_unclear_charge_with_the_same_key(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
        await house.buy("50")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        house.portal.clear_faults()
        sent = len(keys_sent(house))
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Check again")
        await house.until(lambda: "We'll check again by ourselves" in house.last_ephemeral()["text"])
        assert len(keys_sent(house)) == sent
        frozen.tick(181)
        await house.told("Adding $50")
        frozen.tick(3)
        await house.told("$50 added to your balance")
    assert len(set(keys_sent(house))) == 1
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


@pytest.mark.behavior(26)
async def test_check_again_in_the_modal_shows_what_the_check_found(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
        await house.buy("50")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        await house.until(lambda: "Check again" in house.modal().buttons)
        house.portal.clear_faults()
        house.portal.fail("/api/billing/charge", Fault(seconds=1), times=1, method="POST")
        frozen.tick(181)
        await house.slack.click(ADA, "check_again", in_="view")
        await house.told("Adding $50")
        frozen.tick(3)
        await house.told("$50 added to your balance")
        await house.until(lambda: house.modal().title == "Done")


@pytest.mark.behavior(34)
@pytest.mark.parametrize(
    ("lose", "words"),
    [
        ("session", "logged out"),
        ("spending", "turned off"),
        ("link", "Connect again"),
    ],
)
async def test_a_charge_whose_access_is_lost_is_called_unclear_and_not_failed(
    house: House, lose: str, words: str
) -> None:
    await bought(house, "10.06")
    if lose == "session":
        house.portal.revoke_session("ada")
    elif lose == "spending":
        house.portal.revoke_spending("ada")
    else:
        await disconnect(house)
    message = await house.told("may or may not have been charged")
    assert words in message["text"]
    assert "was not charged" not in message["text"]


async def test_an_overdue_charge_of_a_disconnected_person_says_why_there_is_no_answer(
    house: House,
) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await bought(house, "10.06")
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await disconnect(house)
        frozen.tick(31)
        await house.told("may or may not have been charged")
        await house.link()
        frozen.tick(31)
        await house.told("The portal gave no clear answer")


async def test_check_again_never_makes_a_charge_days_later(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.16")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        await house.until(lambda: house.app.engine.in_flight == 0)
        frozen.tick(2 * 86_400)
        await house.link()
        house.portal.set_scenario("acme", "settles")
        sent = len(keys_sent(house))
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Check again")
        await house.until(lambda: "can no longer ask" in house.last_ephemeral()["text"])
    assert len(keys_sent(house)) == sent
    assert house.portal.charges == []
