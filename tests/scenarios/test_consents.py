"""What was shown is what is done: for that account, within the bounds, with a payment method."""

from __future__ import annotations

import pytest

from tests.support.house import ADA, House
from tests.support.steps import modal


@pytest.mark.behavior(21)
async def test_an_owner_without_auto_reload_sees_that_it_is_off(house: House) -> None:
    house.portal.organizations["acme"].auto_reload = None
    await house.link()
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "Auto-reload is *off*" in shown.text
    assert "not visible" not in shown.text


@pytest.mark.behavior(21)
async def test_auto_reload_is_not_offered_without_a_payment_method(house: House) -> None:
    await house.link(ADA, "mara")
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "It needs a payment method on file" in shown.text
    assert not house.modal().submit


@pytest.mark.behavior(21)
async def test_the_app_refuses_an_auto_reload_threshold_below_the_smallest_amount(house: House) -> None:
    await house.link()
    await modal(house, "/billing auto-reload 1 25", "The smallest amount is $5")


@pytest.mark.parametrize("words", ["/billing auto-reload 20 100", "cancel"])
async def test_a_confirmation_for_one_account_changes_no_other_account(house: House, words: str) -> None:
    await house.link()
    if words == "cancel":
        await modal(house, "/billing subscription", "Plus plan")
        await house.slack.click_text(ADA, "Cancel plan")
        await house.until(lambda: house.modal().title == "Cancel Plus?")
    else:
        await modal(house, words, "Turn on")
    await house.link(ADA, "rolf")
    house.app.runtime.accounts.forget_cached(house.identity().key)
    await house.slack.submit(ADA)
    await house.until(lambda: "This has expired" in house.modal().text)
    other = house.portal.organizations["plus-rollover"]
    assert other.subscription is not None
    assert not other.subscription.cancels
    assert other.auto_reload is None or not other.auto_reload.enabled
