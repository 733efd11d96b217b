"""Plans with the live portal: torn tiers, teams, the free plan, bank verification, late upgrades."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.sandbox.portal.models import Subscription
from tests.support.house import ADA, House
from tests.support.steps import ask, modal, preview_super, upgraded_late


@pytest.mark.behavior(59)
async def test_bank_verification_behind_a_failed_upgrade_leads_to_the_portal(house: House) -> None:
    await house.link()
    await modal(house, "/billing subscription", "Plus plan")
    house.portal.set_scenario("acme", "3ds-behind-payment-failed")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in house.modal().text)
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told("requires verification")
    assert "support@nousresearch.com" in message["text"]


@pytest.mark.behavior(59)
async def test_the_screen_says_that_an_upgrade_is_being_applied(house: House) -> None:
    await upgraded_late(house)
    await house.slack.close(ADA, everything=True)
    shown = await modal(house, "/billing subscription", "Applying Super")
    assert "Plus plan" not in shown.text
    assert "Applying Super" in await ask(house, "/billing")
    await house.slack.close(ADA, everything=True)
    house.portal.advance(31)
    assert "Super plan" in await ask(house, "/billing")
    await modal(house, "/billing subscription", "Super plan")


@pytest.mark.behavior(15)
async def test_a_team_is_offered_no_plan_although_the_portal_names_some(house: House) -> None:
    await house.link(ADA, "theo")
    shown = await modal(house, "/billing subscription", "A team has no personal plan")
    assert "plan_tier" not in shown.fields
    assert "Cancel plan" not in shown.text


async def test_a_malformed_tier_does_not_hide_the_other_tiers(house: House) -> None:
    await house.link(ADA, "tove")
    shown = await modal(house, "/billing subscription", "Change to")
    assert "Ultra" not in shown.text, "a plan whose order is null counts as the free one"
    assert "super" in shown.fields["plan_tier"].options.values()


@pytest.mark.behavior(60)
async def test_the_free_plan_lists_the_catalog_with_links_to_the_portal(house: House) -> None:
    await house.link(ADA, "mara")
    shown = await modal(house, "/billing subscription", "free plan")
    assert "Super* · $100/mo · $110 to use" in shown.text
    assert any(link.endswith("&plan=super") for link in shown.links)


async def test_usage_says_that_an_upgrade_is_being_applied(house: House) -> None:
    await upgraded_late(house)
    text = await ask(house, "/billing usage")
    assert "Applying Super" in text
    assert "Plus plan" not in text


async def test_an_upgrade_paid_without_a_card_does_not_mention_a_card(house: House) -> None:
    await house.link(ADA, "lena")
    lena = house.portal.organizations["linkpay"]
    lena.subscription = Subscription(tier="plus", credits_remaining=Decimal("13.199784210017"))
    object.__setattr__(lena.other_method, "resolved_via", None)
    house.portal.set_scenario("linkpay", "declined")
    await preview_super(house)
    assert "charge your payment method." in house.modal().text
    assert "card" not in house.modal().text
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told("Your payment method was declined")
    assert "card" not in message["text"]
