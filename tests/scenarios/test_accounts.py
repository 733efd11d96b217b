"""Accounts as the live portal has them: what a person with such an account reads and can do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.money import MOST_CHARGED
from bot.domain.payment import PaymentMethod
from tests.support.house import ADA, House
from tests.support.steps import ask, modal, overview


@pytest.mark.behavior(9)
async def test_a_plus_subscriber_with_the_plan_spent_sees_the_plan_and_the_top_ups(house: House) -> None:
    text = await overview(house, "pia")
    assert "*Plus plan* · 0% left · $0 of $22" in text
    assert "*$32.08 to use*\nAll from your balance (top-ups)" in text
    assert "no plan" not in text
    usage = await ask(house, "/billing usage")
    assert "*Plus plan* · 0% left · $0 of $22" in usage
    assert "*$32.08 to use*" in usage
    await house.slack.open_home(ADA)
    await house.until(lambda: "$32.08 to use" in house.home().text)
    shown = await modal(house, "/billing buy 50", "Pay $50 now")
    assert "pia@" in shown.text


@pytest.mark.behavior(9)
async def test_a_plus_subscriber_with_rollover_sees_what_is_left_and_what_rolled_over(house: House) -> None:
    text = await overview(house, "rolf")
    assert "*Plus plan* · $22.47 left, $6.59 of it rolled over" in text
    assert "of $22" not in text
    await house.buy("50")
    await house.told("$50 added to your balance")


@pytest.mark.behavior(11)
@pytest.mark.parametrize(
    ("person", "name"),
    [
        ("lena", "*Payment method:* Link (lena@"),
        ("wanda", "*Card:* Visa ····4242 with Apple Pay"),
        ("nils", "*Payment method:* Sepa Debit"),
    ],
)
async def test_any_payment_method_is_named_and_can_be_bought_with(
    house: House, person: str, name: str
) -> None:
    assert name in await overview(house, person)
    shown = await modal(house, "/billing buy 50", "Pay $50 now")
    assert "Add a card first" not in shown.text
    card_or_method = "charge your card" if person == "wanda" else "charge your payment method"
    assert f"By confirming, you allow Nous Research to {card_or_method}." in shown.text
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    assert charge.payment_method is not None
    assert charge.payment_method.kind == {"lena": "link", "wanda": "card", "nils": "sepa_debit"}[person]


async def test_an_older_portal_that_names_a_card_alone_is_read_as_before(house: House) -> None:
    assert "*Payment method:* Link, your default payment method saved in the portal" in await overview(
        house, "theo"
    )


@pytest.mark.behavior(9)
async def test_a_member_over_their_own_limit_is_told_that_funds_do_not_help(house: House) -> None:
    text = await overview(house, "omar")
    assert "*Your own spending limit* · $25.32 spent of $25, $0 left" in text
    assert "Adding funds does not help: ask an admin to raise it in the portal" in text
    assert "Add funds" not in house.answer().text
    assert "reached your own spending limit" in await ask(house, "/billing usage")


async def test_the_overview_shows_a_plan_without_its_numbers(house: House) -> None:
    text = await overview(house, "uma")
    assert "*Plus plan*" in text
    assert "no plan" not in text
    assert "Nothing left" not in text


async def test_an_organization_with_extreme_texts_and_amounts_can_be_looked_at_and_bought_for(
    house: House,
) -> None:
    text = await overview(house, "xena")
    assert "$10,000,000,000,000,000,000,000,000 to use" in text
    for command, words in (
        ("/billing limit", "Monthly limit"),
        ("/billing auto-reload", "Auto-reload is"),
        ("/billing subscription", "plan"),
        ("/billing buy", "Your balance is"),
    ):
        shown = await modal(house, command, words)
        assert "Something went wrong" not in shown.text
        await house.slack.close(ADA, everything=True)
    await house.slack.open_home(ADA)
    await house.until(lambda: "$10,000" in house.home().text)


async def test_the_default_ceiling_says_that_another_limit_can_be_set(house: House) -> None:
    await house.link()
    await modal(house, "/billing buy 50", "Pay $50 now")
    house.portal.set_scenario("acme", "cap-exceeded")
    await house.slack.submit(ADA)
    message = await house.told("$12.50 is left this month")
    assert "default limit; you can set another there" in message["text"]


async def test_with_the_switch_off_an_admin_is_told_where_to_turn_it_on(house: House) -> None:
    house.portal.set_scenario("acme", "switch-off")
    text = await overview(house, "grace")
    assert "Remote Spending is turned off for Acme Research. You can turn it on" in text
    assert "Hermes Agent page" in text
    finance = await overview(house, "frida")
    assert "An owner or admin can turn it on" in finance


async def test_an_admin_whom_the_portal_does_not_let_spend_is_not_told_that_admins_may(
    house: House,
) -> None:
    text = await overview(house, "hedy")
    assert "can add funds. Ask one of them" not in text
    assert "The portal does not let your account add funds here" in text


async def test_no_amount_is_offered_that_is_known_to_fail(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "cap-exceeded")
    shown = await modal(house, "/billing buy", "Your balance is")
    assert "Between $5 and $12.50: the monthly limit leaves no more" in shown.text
    assert "$25" not in shown.text
    await house.slack.close(ADA, everything=True)
    await modal(house, "/billing buy 50", "The largest amount is $12.50: the monthly limit leaves no more")
    assert house.portal.charge_posts == []


async def test_when_no_amount_is_possible_it_says_why(house: House) -> None:
    await house.link()
    cap = house.portal.organizations["acme"].cap
    assert cap is not None
    cap.spent = cap.limit - 3
    shown = await modal(house, "/billing buy", "Nothing can be added now")
    assert "The monthly limit leaves *$3*, and the smallest purchase is more than that" in shown.text


async def test_the_ledger_keeps_the_confirmed_payment_method(house: House) -> None:
    await house.link(ADA, "wanda")
    await house.buy("50")
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    assert charge.payment_method is not None
    known = replace(charge.payment_method, resolved_via=None)
    assert known == PaymentMethod(brand="visa", last4="4242", wallet="apple_pay")
    assert charge.account_email
    assert charge.amount <= MOST_CHARGED


async def test_a_person_who_lost_their_organization_is_told_by_every_command(house: House) -> None:
    await house.link()
    house.portal.people["ada"].organization = None
    assert "does not belong to an organization" in await ask(house, "/billing")
    assert "does not belong to an organization" in await ask(house, "/billing usage")


async def test_an_owner_over_their_own_limit_is_led_to_the_portal_and_not_to_add_funds(
    house: House,
) -> None:
    ada = house.portal.people["ada"]
    ada.spend_cap, ada.spent = Decimal(25), Decimal("25.318402771953")
    text = await overview(house, "ada")
    assert "you can raise the limit in the portal" in text
    assert "primary" not in house.answer().styles.values()


async def test_the_monthly_limit_shows_a_negative_amount(house: House) -> None:
    cap = house.portal.organizations["acme"].cap
    assert cap is not None
    cap.limit, cap.spent = Decimal(10), Decimal(-2000)
    await house.link()
    await modal(house, "/billing limit", "$2,010 left of $10 this month")
    await house.slack.open_home(ADA)
    await house.until(lambda: "$2,010 left of $10 this month" in house.home().text)
