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
    ("preset", "custom", "words"),
    [
        ("custom", "lots", "Enter a dollar amount, e.g. 100"),
        ("custom", "1e3", "Enter a dollar amount, e.g. 100"),
        ("custom", "4.99", "The smallest amount is $5"),
        ("custom", "820.01", "The largest amount is $820: the monthly limit leaves no more"),
        ("custom", "7.123", "Use at most two decimals, e.g. 12.50"),
    ],
)
async def test_a_wrong_amount_in_the_modal_shows_an_error_beside_the_field(
    house: House, preset: str, custom: str, words: str
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.slack.select(ADA, "amount_preset", preset)
    await house.until(lambda: "amount_custom" in house.modal().fields)
    await house.slack.type(ADA, "amount_custom", custom)
    answer = await house.slack.submit(ADA)
    assert answer.errors == {"amount_custom": words}
    assert house.modal().title == "Add funds"


@pytest.mark.behavior(12)
async def test_the_field_for_another_amount_appears_only_when_it_is_chosen(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    assert "amount_custom" not in house.modal().fields
    await house.slack.select(ADA, "amount_preset", "custom")
    await house.until(lambda: "amount_custom" in house.modal().fields)
    await house.slack.select(ADA, "amount_preset", "25")
    await house.until(lambda: "amount_custom" not in house.modal().fields)
    await house.slack.submit(ADA)
    await house.confirm_shown()
    assert "$25" in house.modal().text


async def test_a_preset_and_a_different_typed_amount_are_refused(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    view = house.slack.view(ADA) or {}
    option = {"selected_option": {"value": "50"}, "type": "radio_buttons"}
    values = {
        "amount_preset": {"amount_preset": option},
        "amount_custom": {"amount_custom": {"type": "plain_text_input", "value": "30"}},
    }
    answer = await house.submit_again(view, values=values)
    assert "You chose an amount above too" in answer["errors"]["amount_custom"]


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
