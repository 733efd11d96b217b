"""From an amount on two people decide: the first agrees, and the second pays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from bot.domain.request import RequestState
from bot.sandbox.portal import Fault
from bot.sandbox.portal.models import Card
from bot.storage.tables import charges
from bot.storage.team_tables import votes
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
    state_of,
    the_request,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed
from tests.support.steps import disconnect, money_requests, shown_in_modal

if TYPE_CHECKING:
    from tests.support.house import House

SASHA = "U0SASHA"
OMAR = "U0OMAR"
MASTERCARD = Card(brand="Mastercard", last4="4444")


@pytest.fixture
async def two(house: House) -> House:
    """Ada and Grace may pay, and from $50 on both decide. Linus has asked for $50."""
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await ask(house)
    for user in (ADA, GRACE):
        await has_card(house, user)
    return house


async def test_the_first_agrees_and_the_second_pays(two: House) -> None:
    assert "Two people decide" in card(two, ADA).text
    await agree(two, ADA)
    await two.until(lambda: "1 of 2:* <@U0ADA> agrees; a second person pays" in card(two, GRACE).text)
    await two.replied("1 of 2:* <@U0ADA> agrees", LINUS)
    assert money_requests(two) == 0
    await review(two, GRACE, "Total")
    assert "<@U0ADA> agreed" in two.modal(GRACE).text
    await two.slack.submit(GRACE)
    await two.until(lambda: "$50 added for you" in card(two, LINUS).text)
    assert money_requests(two) == 1


async def test_whoever_agreed_does_not_pay_as_well(two: House) -> None:
    await agree(two, ADA)
    await review(two, ADA, "another person has to agree or pay")
    assert "Pay" not in two.modal(ADA).submit


async def test_r7_two_who_agree_in_the_same_moment_the_later_one_would_pay(two: House) -> None:
    await review(two, ADA, "You don't pay")
    await review(two, GRACE, "You don't pay")
    await asyncio.gather(two.slack.submit(ADA), two.slack.submit(GRACE))

    def ended(user: str) -> bool:
        return "Agreed: $50" in two.modal(user).text or "agreed a moment ago" in two.modal(user).text

    await two.until(lambda: ended(ADA) and ended(GRACE))
    texts = [two.modal(user).text for user in (ADA, GRACE)]
    assert sum("agreed a moment ago. You would pay." in text for text in texts) == 1
    second = GRACE if "agreed a moment ago" in texts[1] else ADA
    assert money_requests(two) == 0
    await two.slack.submit(second)
    await two.until(lambda: "$50 added for you" in card(two, LINUS).text)
    assert money_requests(two) == 1


@pytest.mark.parametrize("how", ["role", "organization"])
async def test_r8_a_first_yes_that_does_not_hold_any_more_stops_the_payment(two: House, how: str) -> None:
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    if how == "role":
        two.portal.people["ada"].role = "MEMBER"
    else:
        two.portal.people["ada"].organization = "globex"
    await two.slack.submit(GRACE)
    await two.until_async(lambda: state_of(two, RequestState.OPEN, tries=1))
    await two.until(lambda: "<@U0ADA> can no longer decide;* one more is needed" in card(two, GRACE).text)
    assert money_requests(two) == 0
    assert "first person's yes could not be confirmed" in card(two, GRACE).text


async def test_r8_whoever_disconnects_takes_their_yes_along(two: House) -> None:
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    await disconnect(two, ADA)
    await two.slack.submit(GRACE)
    await shown_in_modal(two, "another person has to agree", GRACE)
    await two.until(lambda: "<@U0ADA> can no longer decide;* one more is needed" in card(two, GRACE).text)
    assert money_requests(two) == 0


async def test_r8_a_deactivated_first_person_does_not_count(two: House) -> None:
    await agree(two, ADA)
    await two.slack.deactivate(ADA)
    await two.until(lambda: "<@U0ADA> can no longer decide;* one more is needed" in card(two, GRACE).text)


async def test_r4_an_edit_voids_the_first_yes(two: House) -> None:
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    await two.slack.click_text(LINUS, "Edit", in_="message")
    await two.until(lambda: two.modal(LINUS).submit == "Save")
    await two.slack.type(LINUS, "amount_custom", "80")
    await two.slack.submit(LINUS)
    await two.until(lambda: "asks for $80" in card(two, GRACE).text)
    assert "Two people decide" in card(two, GRACE).text
    await two.slack.submit(GRACE)
    await shown_in_modal(two, "it is $80 now", GRACE)
    assert money_requests(two) == 0


async def test_r12_another_payment_method_than_the_first_saw_stops_the_payment(two: House) -> None:
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    two.portal.organizations["acme"].card = MASTERCARD
    await two.slack.submit(GRACE)
    await two.until_async(lambda: state_of(two, RequestState.OPEN, tries=1))
    await two.until(lambda: "The payment method has changed" in card(two, GRACE).text)
    assert money_requests(two) == 0


async def test_with_another_card_the_first_is_asked_again_once(two: House) -> None:
    await agree(two, ADA)
    two.portal.organizations["acme"].card = MASTERCARD
    await review(two, GRACE, "agreed to another payment method")
    await two.slack.click_text(GRACE, "Ask Ada Lovelace about this card")
    await shown_in_modal(two, "Asked about", GRACE)
    await two.until(lambda: "<@U0ADA> looks again" in card(two, ADA).text)
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    assert "Mastercard ····4444" in two.modal(GRACE).text
    await two.slack.submit(GRACE)
    await two.until(lambda: "$50 added for you" in card(two, LINUS).text)


async def test_whoever_asks_and_may_pay_counts_as_one_of_two(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await house.slack.command(ADA, "/billing request 50 evals")
    await house.until(lambda: house.modal(ADA).submit == "Ask for $50")
    await house.slack.submit(ADA)
    await house.until(lambda: "counts as one of two" in card(house, GRACE).text)
    await review(house, GRACE, "Total")
    await house.slack.submit(GRACE)
    await house.until(lambda: "$50 added for you" in card(house, ADA).text)


async def test_r22_a_stricter_policy_holds_for_a_confirmation_that_is_open(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    await set_policy(house, user=GRACE, approvers=(GRACE,))
    await house.slack.submit(ADA)
    await shown_in_modal(house, "only certain people decide", ADA)
    assert money_requests(house) == 0
    await pay(house, GRACE)
    await house.told("$50 added for you", LINUS)


async def test_too_few_who_may_pay_is_said_to_whoever_asks(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "grace")
    await house.link(LINUS, "linus")
    await set_policy(house, two_people_from=Decimal(50))
    await disconnect(house, GRACE)
    await ask(house)
    await house.until(lambda: "too few who may pay are connected" in card(house, LINUS).text)


async def test_a_vote_that_was_forged_in_the_database_does_not_count(two: House) -> None:
    await agree(two, ADA)
    request = await the_request(two)
    runtime = two.app.runtime
    (vote,) = await runtime.deciding.votes_on(request.id)
    forged = replace(vote, id="f" * 32, person=two.identity(SASHA), account_id="did:privy:frida")
    async with runtime.database.transaction() as transaction:
        await runtime.request_store.votes.cast(transaction, forged)
        await transaction.execute(update(votes).where(votes.c.id == forged.id).values(signature="0" * 64))
    assert [each.id for each in await runtime.deciding.votes_on(request.id)] == [vote.id]


async def test_the_log_tells_who_agreed_and_who_set_the_policy(two: House) -> None:
    await agree(two, ADA)
    await disconnect(two, ADA)
    await two.app.runtime.audit.seal()
    log = [seal.entry async for seal in two.app.runtime.audit.sealed()]
    policy = [(each.actor, each.result) for each in log if each.action == "policy"]
    votes_on = [(each.actor, each.result) for each in log if each.action == "vote"]
    assert policy == [(two.identity(ADA).key, "set")]
    assert votes_on == [(two.identity(ADA).key, "agreed"), (two.identity(ADA).key, "void")]


async def test_the_trace_names_the_first_person_and_what_they_agreed_to(two: House) -> None:
    await agree(two, ADA)
    request = await the_request(two)
    shown = await typed(two, f"/billing trace {request.id}", GRACE)
    assert "<@U0ADA> agreed to Visa ····4242, version 1" in shown
    assert "4242" not in await typed(two, f"/billing trace {request.id}", LINUS)


async def test_whoever_was_taken_off_the_list_is_no_first_person_any_more(two: House) -> None:
    await two.link(OMAR, "frida")
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    await set_policy(two, user=GRACE, approvers=(GRACE, OMAR))
    await two.slack.submit(GRACE)
    await shown_in_modal(two, "another person has to agree", GRACE)
    assert money_requests(two) == 0


async def test_whoever_has_left_the_group_that_decides_is_asked_about_before_the_payment(
    two: House,
) -> None:
    await set_policy(two, user=GRACE, approver_channel="C0SPEND")
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    spend = two.slack.workspace.channel("C0SPEND")
    assert spend is not None
    two.slack.workspace.replace_channel(replace(spend, members=frozenset({GRACE})))
    two.app.runtime.people.channels._members.clear()  # a minute later
    await two.slack.submit(GRACE)
    await two.until_async(lambda: state_of(two, RequestState.OPEN, tries=1))
    assert money_requests(two) == 0


async def test_a_purchase_that_was_claimed_and_not_sent_asks_for_the_first_yes_all_the_same(
    two: House,
) -> None:
    await agree(two, ADA)
    await two.restart()
    two.worker = False
    await two.restart()
    await review(two, GRACE, "Total")
    await two.slack.submit(GRACE)
    await two.until_async(lambda: state_of(two, RequestState.CHARGING))
    # As a process leaves it that was killed between the claim and the first byte.
    async with two.app.runtime.database.transaction() as transaction:
        await transaction.execute(update(charges).values(attempts=1))
    await disconnect(two, ADA)
    two.worker = True
    await two.restart()
    await two.until_async(lambda: state_of(two, RequestState.OPEN, tries=1))
    assert money_requests(two) == 0


async def test_a_portal_that_is_busy_costs_nobody_their_yes(two: House) -> None:
    await agree(two, ADA)
    await review(two, GRACE, "Total")
    busy = Fault(status=429, body='{"error": "rate_limited"}', headers={"Retry-After": "1"})
    two.portal.fail("/api/billing/state", busy)
    await two.slack.submit(GRACE)
    await two.until(lambda: "$50 added for you" in card(two, LINUS).text)
    assert money_requests(two) == 1


@pytest.mark.parametrize("change", [{"approvers": (GRACE,)}, {"request_max": Decimal(40)}])
async def test_what_a_stricter_policy_forbids_is_not_resumed(house: House, change: dict[str, Any]) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    await has_card(house, ADA)
    await pay(house, ADA)
    await house.until(lambda: "One-time setup" in house.modal(ADA).text)
    await set_policy(house, user=GRACE, **change)
    house.portal.approve(await house.enable_billing(ADA), person="ada")
    await house.until(lambda: "Resume $50" in str(house.replies(ADA)) or "Resume" in str(house.dm(ADA)))
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: house.modal(ADA).title == "Request")
    assert money_requests(house) == 1  # the one that was refused for the permission


async def test_an_edit_after_a_reminder_reminds_nobody_again(two: House) -> None:
    await agree(two, ADA)
    await two.slack.click_text(LINUS, "Remind", in_="message")
    await two.replied("Reminder", GRACE)
    before = len(two.replies(GRACE))
    await two.slack.click_text(LINUS, "Edit", in_="message")
    await two.until(lambda: two.modal(LINUS).submit == "Save")
    await two.slack.type(LINUS, "amount_custom", "80")
    await two.slack.submit(LINUS)
    await two.until(lambda: "asks for $80" in card(two, GRACE).text)
    await two.until(lambda: two.app.engine.in_flight == 0)
    assert len(two.replies(GRACE)) == before


async def test_what_is_too_much_by_now_can_still_be_denied(house: House) -> None:
    await asked(house)
    await set_policy(house, request_max=Decimal(40))
    await house.slack.click_text(ADA, "Deny", in_="message")
    await shown_in_modal(house, "Reason", ADA)
    await house.slack.type(ADA, "reason", "too much")
    await house.slack.submit(ADA)
    await house.until(lambda: "Denied" in card(house, LINUS).text)
