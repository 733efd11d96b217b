"""Choosing and typing the amount of a purchase."""

from __future__ import annotations

import pytest

from bot.domain.charge import ChargeState
from tests.support.house import ADA, House


@pytest.mark.behavior(20)
@pytest.mark.parametrize("typed", ["nan", "inf", "1e3", "1_000", "１００", "ten", "-5", "0", "10.001"])
async def test_an_unreadable_amount_gets_one_clear_sentence(house: House, typed: str) -> None:
    await house.link()
    await house.slack.command(ADA, f"/billing buy {typed}")
    await house.until(lambda: "/billing buy" in house.last_ephemeral()["text"])
    assert house.slack.view(ADA) is None
    assert house.portal.requests[-1].path != "/api/billing/charge"


@pytest.mark.behavior(20)
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("lots", "Enter a dollar amount, e.g. 100"),
        ("1e3", "Enter a dollar amount, e.g. 100"),
        ("4.99", "The smallest amount is $5"),
        ("820.01", "The largest amount is $820: the monthly limit leaves no more"),
        ("7.123", "Use at most two decimals, e.g. 12.50"),
    ],
)
async def test_a_wrong_amount_in_the_modal_shows_an_error_beside_the_field(
    house: House, typed: str, words: str
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.slack.type(ADA, "amount_custom", typed)
    answer = await house.slack.submit(ADA)
    assert answer.errors == {"amount_custom": words}
    assert house.modal().title == "Add funds"


@pytest.mark.behavior(12)
async def test_choosing_an_amount_asks_the_app_nothing(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    assert house.modal().fields["amount_preset"].initial == "50"
    assert "$25 → new balance $167.50" in house.modal().fields["amount_preset"].options
    asked = len(house.slack.deliveries)
    await house.slack.select(ADA, "amount_preset", "25")
    assert len(house.slack.deliveries) == asked
    await house.slack.submit(ADA)
    await house.until(lambda: house.modal().submit == "Pay $25 now")


async def test_the_amount_bought_last_is_chosen_the_next_time(house: House) -> None:
    await house.link()
    await house.buy("25")
    await house.told("$25 added to your balance")
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: "amount_preset" in house.modal().fields)
    assert house.modal().fields["amount_preset"].initial == "25"


async def test_a_typed_amount_goes_before_the_chosen_one(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.slack.select(ADA, "amount_preset", "100")
    await house.slack.type(ADA, "amount_custom", "30")
    await house.slack.submit(ADA)
    await house.until(lambda: house.modal().submit == "Pay $30 now")


@pytest.mark.behavior(13)
async def test_the_confirmation_says_what_is_there_afterwards(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    assert "*New balance*\n$192.50" in house.modal().text
    assert "*Monthly limit*\n$770 left after this" in house.modal().text
    assert house.modal().buttons == ["Back"]


@pytest.mark.behavior(20)
async def test_buy_with_an_amount_out_of_bounds_opens_the_amount_modal(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 4")
    await house.until(lambda: "The smallest amount is $5" in house.modal().text)
    assert house.modal().title == "Add funds"
    assert house.modal().fields["amount_custom"].initial == "$4"


async def test_back_returns_to_the_amount_and_cancels_the_purchase(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 42")
    view = await house.confirm_shown()
    await house.slack.click_text(ADA, "Back")
    await house.until(lambda: house.modal().title == "Add funds" and house.modal().submit)
    assert house.modal().fields["amount_custom"].initial == "$42"
    charge = await house.app.runtime.purchases.cancel(house.identity(), view["private_metadata"])
    assert charge.state is ChargeState.CANCELLED


async def test_an_amount_that_was_left_over_gives_way_to_a_choice_that_was_changed(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 99999")
    await house.until(lambda: "The largest amount is" in house.modal().text)
    assert house.modal().fields["amount_custom"].initial == "$99,999"
    await house.slack.select(ADA, "amount_preset", "100")
    await house.slack.submit(ADA)
    await house.until(lambda: house.modal().submit == "Pay $100 now")
