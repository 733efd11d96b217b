"""Answers at their extreme on the money route, and how a charge is found again."""

from __future__ import annotations

import pytest

from bot.domain.charge import ChargeState
from bot.sandbox.portal import FIREWALL_DENIES, Fault
from tests.support.house import ADA, LINUS, House
from tests.support.steps import ask


@pytest.mark.behavior(25)
async def test_a_charge_id_of_303_characters_is_followed_with_one_request_for_money(house: House) -> None:
    await house.link(ADA, "xena")
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.portal.charge_posts) == 1
    (charge,) = await house.charges()
    assert len(charge.portal_charge_id or "") == 303


async def test_a_refusal_with_a_nul_in_its_message_is_a_clear_refusal(house: House) -> None:
    await house.link()
    body = '{"error": "validation_failed", "message": "No\\u0000t like \\ud800that."}'
    house.portal.fail("/api/billing/charge", Fault(status=400, body=body), method="POST")
    await house.buy("50")
    message = await house.told("was not charged")
    assert "Not like \ufffdthat." in message["text"]
    (charge,) = await house.charges()
    assert charge.state is ChargeState.REFUSED


async def test_trace_finds_a_purchase_by_the_portals_id_and_by_the_start_of_an_id(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    portal_id = str(charge.portal_charge_id)
    for named in (portal_id, portal_id[:10], charge.id, charge.id[:6]):
        assert f"Reference: `{charge.id}`" in await ask(house, f"/billing trace {named}")
    assert "You have no such purchase" in await ask(house, f"/billing trace {portal_id}x")
    await house.link(LINUS, "grace")
    assert "You have no such purchase" in await ask(house, f"/billing trace {portal_id}", LINUS)


async def test_trace_asks_for_a_longer_id_when_several_purchases_match(house: House) -> None:
    await house.link()
    for amount in ("50", "60"):
        await house.buy(amount)
        await house.told(f"${amount} added to your balance")
    assert "Several of your purchases begin with that" in await ask(house, "/billing trace ch_")


async def test_the_message_of_a_failed_charge_names_the_support_address(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    message = await house.told("was declined")
    assert "support@nousresearch.com" in message["text"]


@pytest.mark.behavior(26)
async def test_a_charge_id_that_cannot_be_kept_is_not_asked_for_again_and_again(house: House) -> None:
    house.portal.organizations["extreme"].charge_id_length = 2500
    await house.link(ADA, "xena")
    await house.buy("50")
    await house.told("may or may not have been charged")
    assert len(house.portal.charge_posts) == 1


@pytest.mark.behavior(24)
async def test_a_purchase_that_the_firewall_blocks_is_refused_at_once(house: House) -> None:
    await house.link()
    house.portal.fail("/api/billing/charge", FIREWALL_DENIES, method="POST", times=9)
    await house.buy("50")
    message = await house.told("was not charged")
    assert "not available in the portal right now" in message["text"]
    assert "Too many" not in message["text"]
