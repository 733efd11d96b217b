"""The amount from which two people decide: it holds for purchases, plans and auto-reload too."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.asking import (
    agree,
    ask,
    asked,
    card,
    connected,
    has_card,
    pay,
    review,
    set_policy,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import modal, money_requests, shown_in_modal

if TYPE_CHECKING:
    from tests.support.house import House

OMAR = "U0OMAR"


async def test_below_the_line_one_person_pays(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    await ask(house)
    await pay(house)
    await house.told("$50 added for you", LINUS)


async def test_what_was_added_within_a_day_counts_towards_the_line(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    await ask(house)
    await pay(house)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)
    await ask(house, "60")
    await house.until(lambda: "asks for $60" in card(house, ADA).text)
    assert "Two people decide" in card(house, ADA).text


async def test_the_form_says_from_which_amount_two_people_decide(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    shown = await modal(house, "/billing request 50 evals", "Ask for $50", LINUS)
    assert "From $100 in 24 hours on, two people decide" in shown.text


async def test_buying_above_the_line_becomes_a_request(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    shown = await modal(house, "/billing buy 50", "two people of Acme Research decide")
    assert shown.submit == ""
    await house.slack.click_text(ADA, "Ask for $50")
    await house.until(lambda: house.modal(ADA).submit == "Ask for $50")


async def test_a_purchase_that_was_shown_before_the_line_was_set_is_not_made(house: House) -> None:
    await connected(house)
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await set_policy(house, user=GRACE, two_people_from=Decimal(50))
    await house.slack.submit(ADA)
    await shown_in_modal(house, "two people", ADA)
    assert money_requests(house) == 0


async def test_two_purchases_at_once_do_not_pass_the_line_together(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    runtime = house.app.runtime
    proposals = []
    for amount in ("60", "70"):
        step = await runtime.purchases.next_step(house.identity(), Decimal(amount))
        proposals.append(step.proposal.charge)  # type: ignore[union-attr]

    async def confirm(charge_id: str) -> bool:
        try:
            await runtime.purchases.confirm(house.identity(), charge_id, view_id=None)
        except Exception:  # noqa: BLE001 - whatever refuses it
            return False
        return True

    said = await asyncio.gather(*(confirm(charge.id) for charge in proposals))
    assert sum(said) == 1


@pytest.mark.parametrize("where", ["auto-reload", "upgrade"])
async def test_what_charges_without_asking_stays_below_the_line(house: House, where: str) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(20))
    if where == "auto-reload":
        await modal(house, "/billing auto-reload 5 60", "two people")
    else:
        await house.slack.command(ADA, "/billing subscription ultra")
        await house.until(lambda: "two people" in house.modal(ADA).text.lower())
    assert money_requests(house) == 0


async def test_r22_a_line_set_meanwhile_asks_for_a_second_person(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await set_policy(house, user=GRACE, two_people_from=Decimal(50))
    await house.slack.submit(ADA)
    await shown_in_modal(house, "Two people decide on this", ADA)
    await house.slack.click_text(ADA, "Look again")
    await shown_in_modal(house, "You don't pay", ADA)
    assert money_requests(house) == 0


async def test_the_line_holds_for_whoever_has_the_same_portal_account(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    await house.buy("60")
    await house.told("$60 added")
    await house.link(OMAR, "ada")
    await modal(house, "/billing buy 60", "two people of Acme Research decide", OMAR)


async def test_what_others_were_granted_meanwhile_shows_that_two_people_decide(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(100))
    await ask(house, "60")
    await ask(house, "50")
    await has_card(house, ADA, "50")
    assert "1 of 2" not in card(house, ADA).text
    await house.slack.click_text(GRACE, "Review", in_=_ts(house, GRACE, "60"))
    await shown_in_modal(house, "Total", GRACE)
    await house.slack.submit(GRACE)
    await house.until(lambda: "$60 added for you" in str(house.dm(LINUS)))
    await agree(house, ADA)
    await house.until(lambda: "1 of 2:* <@U0ADA> agrees" in card(house, GRACE).text)


def _ts(house: House, user: str, amount: str) -> str:
    """The message with the card of an amount."""
    found = [each for each in house.dm(user) if f"asks for ${amount}" in each["text"]]
    return str(found[-1]["ts"])


async def test_a_plan_that_renews_above_the_line_needs_two_people(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(40))
    await house.slack.command(ADA, "/billing subscription super")
    await house.until(lambda: "two people" in house.modal(ADA).text.lower())


async def test_with_requests_switched_off_the_line_sends_people_to_the_portal(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await house.restart(team_spending=False)
    shown = await modal(house, "/billing buy 50", "asking is switched off here")
    assert "Ask for $50" not in shown.buttons
