"""What was shown is what is done: for that account, within the bounds, with a payment method."""

from __future__ import annotations

import pytest

from tests.support.house import ADA, House
from tests.support.steps import modal


@pytest.mark.behavior(21)
async def test_an_owner_who_never_set_auto_reload_up_reads_off(house: House) -> None:
    house.portal.organizations["acme"].auto_reload = None
    await house.link()
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "Auto-reload is *off*" in shown
    assert "not visible" not in shown


@pytest.mark.behavior(21)
async def test_auto_reload_is_not_offered_without_a_payment_method(house: House) -> None:
    await house.link(ADA, "mara")
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "It needs a payment method on file" in shown
    assert (house.slack.view(ADA) or {}).get("submit") is None


@pytest.mark.behavior(21)
async def test_an_auto_reload_threshold_below_the_bounds_is_refused_here(house: House) -> None:
    await house.link()
    await modal(house, "/billing auto-reload 1 25", "The smallest amount is $5")


@pytest.mark.parametrize("words", ["/billing auto-reload 20 100", "cancel"])
async def test_what_was_shown_for_one_account_is_done_at_no_other(house: House, words: str) -> None:
    await house.link()
    if words == "cancel":
        await modal(house, "/billing subscription", "Plus plan")
        await house.slack.click_text(ADA, "Cancel plan")
        await house.until(lambda: "Cancel *Plus*?" in str(house.slack.view(ADA)))
    else:
        await modal(house, words, "Turn on")
    await house.link(ADA, "rolf")
    house.app.runtime.accounts.forget_cached(house.identity().key)
    await house.slack.submit(ADA)
    await house.until(lambda: "This has expired" in str(house.slack.view(ADA)))
    other = house.portal.organizations["plus-rollover"]
    assert other.subscription is not None
    assert not other.subscription.cancels
    assert other.auto_reload is None or not other.auto_reload.enabled
