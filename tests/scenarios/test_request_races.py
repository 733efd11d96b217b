"""Several people at one request, at the same moment or too late: one decision, and the truth for each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from bot.domain.request import RequestState
from tests.support.asking import (
    HeldButton,
    ask,
    asked,
    card,
    connected,
    expires_in,
    pay,
    review,
    state_of,
    the_request,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import disconnect, money_requests, shown_in_modal

if TYPE_CHECKING:
    from tests.support.house import House


async def both_review(house: House) -> None:
    """Linus has asked, and both who may pay have the confirmation before them."""
    await asked(house)
    await review(house, ADA, "Total")
    await review(house, GRACE, "Total")


async def type_denial(house: House, user: str, reason: str = "not now") -> None:
    """Open the form to deny from the card, and fill it in."""
    await house.slack.click_text(user, "Deny", in_="message")
    await house.until(lambda: house.modal(user).submit == "Deny")
    await house.slack.type(user, "reason", reason)


async def test_r1_two_who_pay_in_the_same_moment_pay_once(house: House) -> None:
    await both_review(house)
    await asyncio.gather(house.slack.submit(ADA), house.slack.submit(GRACE))
    await house.told("$50 added for you", LINUS)
    losers = [user for user in (ADA, GRACE) if "is paying this already" in house.modal(user).text]
    assert len(losers) == 1
    assert "Nothing was charged to you" in house.modal(losers[0]).text
    assert money_requests(house) == 1


async def test_r2_the_same_confirmation_twice_is_one_payment(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    view = house.slack.view(ADA) or {}
    await house.slack.submit(ADA)
    again = await house.submit_again(view, ADA)
    assert again["view"]["title"]["text"] in {"Processing", "Done"}
    await house.told("$50 added for you", LINUS)
    assert money_requests(house) == 1


async def test_r3_withdrawn_before_the_payment_nothing_is_charged(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await house.slack.click_text(LINUS, "Withdraw", in_="message")
    await house.told("*Withdrawn*", GRACE)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "<@U0LINUS> has withdrawn this. Nothing was charged.")
    assert money_requests(house) == 0


async def test_r3_paid_before_the_withdrawal_it_is_too_late(house: House) -> None:
    await asked(house)
    button = HeldButton(house, LINUS, "Withdraw")
    house.portal.set_scenario("acme", "pending-for-ever")
    await pay(house)
    await house.told("is paying $50 for you", LINUS)
    await button.click()
    await shown_in_modal(house, "is paying this already", LINUS)


async def test_r4_changed_while_the_confirmation_was_open_it_must_be_looked_at_again(
    house: House,
) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await house.slack.click_text(LINUS, "Edit", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Save")
    await house.slack.select(LINUS, "amount_preset", "100")
    await house.slack.submit(LINUS)
    await house.told("asks for $100", GRACE)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "it is $100 now. Nothing was charged.")
    await house.slack.click_text(ADA, "Look again")
    await house.until(lambda: house.modal(ADA).submit == "Pay $100 now")
    assert money_requests(house) == 0


async def test_r5_paid_after_its_time_it_charges_nothing_and_names_nobody(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    # The confirmation is younger than a quarter of an hour, and the request's time is over.
    await expires_in(house, timedelta(seconds=30))
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=1))
        await house.slack.submit(ADA)
        await shown_in_modal(house, "without a decision. Nothing was charged.")
    assert money_requests(house) == 0
    assert (await the_request(house)).decided_by is None


async def test_an_unanswered_request_ends_and_can_be_asked_again(house: House) -> None:
    await asked(house)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(hours=73))
        house.app.engine.wake("request")
        await house.told("Ended without a decision", ADA)
        await house.replied("Nobody decided", LINUS)
    await house.slack.click_text(LINUS, "Ask again", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Ask for $50")


@pytest.mark.parametrize("first", ["deny", "pay"])
async def test_r6_denied_and_paid_whoever_is_first_decides(house: House, first: str) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await type_denial(house, GRACE)
    if first == "deny":
        await house.slack.submit(GRACE)
        await shown_in_modal(house, "is told why", GRACE)
        await house.slack.submit(ADA)
        await shown_in_modal(house, "denied this")
        assert money_requests(house) == 0
    else:
        house.portal.set_scenario("acme", "pending-for-ever")
        await house.slack.submit(ADA)
        await house.told("is paying $50", GRACE)
        await house.slack.submit(GRACE)
        await shown_in_modal(house, "<@U0ADA> is paying this already", GRACE)


async def test_r9_without_the_role_at_the_charge_it_is_open_again(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.portal.set_scenario("acme", "role-required")
    await house.slack.submit(ADA)
    await house.told("Open again", GRACE)
    await house.replied("It is still open for others", LINUS)
    house.portal.set_scenario("acme", "by-amount")
    await pay(house, GRACE)
    await house.told("paid by <@U0GRACE>", LINUS)


async def test_r10_a_payer_connected_elsewhere_is_told_so(house: House) -> None:
    await asked(house)
    await house.link(ADA, "theo")
    await review(house, ADA, "You are connected to another organization")
    assert "Connect another account" in house.modal(ADA).buttons


async def test_r10_a_payer_who_connects_another_account_with_the_confirmation_open_pays_nothing(
    house: House,
) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await house.link(ADA, "theo")
    await house.slack.submit(ADA)
    await shown_in_modal(house, "You are connected to another organization")
    assert money_requests(house) == 0


async def test_a_payer_who_is_not_connected_any_more_connects_and_goes_on_with_the_review(
    house: House,
) -> None:
    await asked(house)
    await disconnect(house, GRACE)
    await review(house, GRACE, "Connect your Nous Portal account first")
    await house.slack.click_text(GRACE, "Connect")
    await house.until(lambda: house.modal(GRACE).code)
    house.portal.approve(house.modal(GRACE).code, "grace")
    await house.until(lambda: "Review" in house.modal(GRACE).buttons)
    await house.slack.click_text(GRACE, "Review", in_="view")
    await house.until(lambda: house.modal(GRACE).submit == "Pay $50 now")


@pytest.mark.parametrize("leaves", ["disconnects", "connects elsewhere", "is deactivated"])
async def test_r11_a_requester_who_leaves_the_organization_withdraws(house: House, leaves: str) -> None:
    await asked(house)
    match leaves:
        case "disconnects":
            await disconnect(house, LINUS)
        case "connects elsewhere":
            await house.link(LINUS, "theo")
        case _:
            await house.slack.deactivate(LINUS)
    await house.told("is not at Acme Research here any more", ADA)
    assert house.last_message(ADA).buttons == []


async def test_r25_two_people_with_one_portal_account_do_not_decide_for_each_other(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "ada")
    await house.slack.command(GRACE, "/billing request 50 please")
    await shown_in_modal(house, "You may add it yourself", GRACE)
    await house.slack.click_text(GRACE, "Ask somebody else")
    await house.until(lambda: house.modal(GRACE).submit == "Ask for $50")
    assert "Nobody who may pay" in house.modal(GRACE).text


async def test_r31_uninstalled_what_is_open_ends(house: House) -> None:
    await asked(house)
    await house.slack.uninstall()
    await house.until_async(lambda: state_of(house, RequestState.WITHDRAWN))


async def test_r32_a_purchase_of_the_organization_is_named_to_who_is_about_to_pay(house: House) -> None:
    await asked(house)
    await house.buy("100", GRACE)
    await house.told("$100 added", GRACE)
    await review(house, ADA, "Total")
    assert "<@U0GRACE> added $100 here a minute ago" in house.modal(ADA).text


async def test_a_requester_cannot_review_their_own(house: House) -> None:
    await asked(house)
    request = await the_request(house)
    await house.slack.command(LINUS, f"/billing review {request.id}")
    await shown_in_modal(house, "You asked for this yourself", LINUS)


async def test_a_card_that_was_left_behind_is_put_right_by_a_click(house: House) -> None:
    await asked(house)
    button = HeldButton(house, GRACE, "Review")
    await pay(house, ADA)
    await house.told("paid by <@U0ADA>", GRACE)
    await button.click()
    await shown_in_modal(house, "$50 added", GRACE)


async def test_a_look_that_comes_late_does_not_reopen_what_another_pays_by_now(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.portal.set_scenario("acme", "role-required")
    await house.slack.submit(ADA)
    await house.told("Open again", GRACE)
    (former,) = await house.charges(ADA)
    house.portal.set_scenario("acme", "pending-for-ever")
    await pay(house, GRACE)
    await house.until(lambda: "is paying $50" in card(house, ADA).text)
    assert not await house.app.runtime.request_store.catch_up(former)
    assert (await the_request(house)).state is RequestState.CHARGING


async def test_switched_off_while_somebody_enables_billing_it_is_not_open_again(house: House) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    for user in (ADA, GRACE):
        await house.told("asks for $50", user)
    await pay(house, ADA)
    await house.told("is enabling billing", GRACE)
    await house.slack.close(ADA, everything=True)
    await house.restart(team_spending=False)
    await house.slack.click_text(ADA, "Leave it to others", in_="message")
    await house.told("requests were switched off", GRACE)


async def test_a_change_saved_too_late_says_what_became_of_the_request(house: House) -> None:
    await asked(house)
    await house.slack.click_text(LINUS, "Edit", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Save")
    house.portal.set_scenario("acme", "pending-for-ever")
    await pay(house, ADA)
    await house.told("is paying $50 for you", LINUS)
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "<@U0ADA> is paying this already", LINUS)


async def test_a_change_to_the_amount_of_another_one_names_that_one(house: House) -> None:
    await asked(house)
    await ask(house, "100")
    await house.slack.click_text(LINUS, "Edit", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Save")
    await house.slack.type(LINUS, "amount_custom", "50")
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "You asked for $50 already.", LINUS)


async def test_a_long_text_after_review_is_answered(house: House) -> None:
    await connected(house)
    await house.slack.command(ADA, f"/billing review {'x' * 2500}")
    await shown_in_modal(house, "There is no such request here")
