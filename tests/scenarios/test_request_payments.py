"""The payment of a request fails, waits or is unclear: what the requester and others can do then."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from freezegun import freeze_time

from bot.domain.request import RequestState
from bot.sandbox.portal import Fault
from bot.storage.restored import mark_restored
from tests.support.asking import (
    ask,
    asked,
    card,
    connected,
    pay,
    review,
    state_of,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed
from tests.support.steps import money_requests, shown_in_modal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.domain.charge import Charge
    from bot.domain.request import FundsRequest
    from bot.storage.connection import Transaction
    from bot.storage.requests.store import RequestStore
    from tests.support.house import House


async def test_r12_without_a_payment_method_it_continues_once_there_is_one(house: House) -> None:
    await asked(house)
    house.portal.set_scenario("acme", "no-card")
    await review(house, ADA, "you need a card")
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.click_text(ADA, "I've added it, check again")
    await house.until(lambda: house.modal(ADA).submit == "Pay $50 now")


async def test_r13_over_the_monthly_limit_the_payer_reads_what_is_left_and_the_requester_does_not(
    house: House,
) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.portal.set_scenario("acme", "cap-exceeded")
    await house.slack.submit(ADA)
    await house.told("$12.50 is left this month", ADA)
    reply = await house.replied("The monthly limit doesn't leave $50 now", LINUS)
    assert "12.50" not in str(reply)


async def test_r13_a_limit_that_leaves_less_is_said_before_anything_is_confirmed(house: House) -> None:
    await connected(house)
    await ask(house, "900")
    await house.told("asks for $900", ADA)
    await review(house, ADA, "is left this month")
    assert house.modal(ADA).submit == ""
    assert "Deny…" in house.modal(ADA).buttons


async def test_r14_the_third_failed_payment_ends_it(house: House) -> None:
    await connected(house)
    await ask(house, "10.01")
    for time in range(3):
        await house.until(lambda: "Review" in card(house, GRACE).buttons)
        await pay(house, GRACE if time else ADA)
        if time < 2:
            await house.until_async(lambda: state_of(house, RequestState.OPEN, tries=time + 1))  # noqa: B023
    await house.until(lambda: "three payments of $10.01 didn't go through" in card(house, ADA).text)
    assert "declined" in str(house.replies(LINUS))
    assert "4242" not in str(house.dm(LINUS)) + str(house.replies(LINUS))


async def test_r15_without_a_clear_answer_nobody_pays_again_until_it_is_known(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
    await house.slack.submit(ADA)
    await house.unanswered(ADA)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=2))
        await house.until(lambda: "may or may not have been paid" in card(house, GRACE).text, 20)
        assert card(house, GRACE).buttons == []
    assert len(house.portal.charges) == 1


async def test_r16_still_pending_at_the_cap_nobody_can_pay_it_again(house: House) -> None:
    await house.restart(poll_cap_seconds=0.3)
    await asked(house)
    house.portal.set_scenario("acme", "pending-for-ever")
    await pay(house)
    await house.told("may or may not have been paid", GRACE)
    assert house.last_message(GRACE).buttons == []
    await house.told("may or may not have been paid for you", LINUS)


async def test_r17_while_the_portal_takes_no_charges_nobody_is_offered_to_pay(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.portal.set_scenario("acme", "rate-limited")
    await house.slack.submit(ADA)
    await house.told("Open again", GRACE)
    await review(house, GRACE, "Too many charges")
    assert house.modal(GRACE).submit == ""
    assert "Deny…" in house.modal(GRACE).buttons


async def test_r18_somebody_else_can_take_over_from_a_payer_who_does_not_enable_billing(
    house: House,
) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    for user in (ADA, GRACE):
        await house.told("asks for $50", user)
    await pay(house, ADA)
    await house.told("<@U0ADA> is enabling billing", GRACE)
    await review(house, GRACE, "You can take over")
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=11))
        await pay(house, GRACE)
        await house.until(lambda: any("Somebody else pays" in each["text"] for each in house.dm(ADA)))

        async def is_paid() -> bool:
            frozen.tick(1)
            return "paid by <@U0GRACE>" in card(house, LINUS).text

        await house.until_async(is_paid)
    assert money_requests(house) == 2  # Ada's was refused for want of the permission


async def test_r18_left_to_others_it_is_open_at_once(house: House) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    for user in (ADA, GRACE):
        await house.told("asks for $50", user)
    await pay(house, ADA)
    await house.told("is enabling billing", GRACE)
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Leave it to others", in_="message")
    await house.told("leaves it to others", GRACE)
    await pay(house, GRACE)
    await house.told("paid by <@U0GRACE>", LINUS)


async def test_withdrawn_while_the_payer_enables_billing_nothing_is_sent(house: House) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    await house.told("asks for $50", ADA)
    await pay(house, ADA)
    await house.told("is enabling billing", LINUS)
    await house.slack.click_text(LINUS, "Withdraw", in_="message")
    await house.until(lambda: any("was withdrawn" in each["text"] for each in house.dm(ADA)))


async def test_r20_locked_after_the_confirmation_nothing_is_sent(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await asked(house)
    await typed(house, "/billing lock audit", GRACE)
    await review(house, ADA, "Spending from Slack is paused")
    assert "Deny…" in house.modal(ADA).buttons
    await house.slack.command(LINUS, "/billing request 25 more")
    await shown_in_modal(house, "Spending from Slack is paused", LINUS)


async def test_r23_a_payer_over_their_own_limit_leaves_it_to_others(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(60))
    await asked(house)
    await house.buy("25", ADA)
    await house.told("$25 added", ADA)
    await review(house, ADA, "Your limit is $60 per 24 hours")
    assert house.modal(ADA).submit == ""


async def test_r28_while_slack_is_away_the_payment_goes_on_and_the_cards_follow(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    house.slack.faults.add("chat.update", "drop_before", times=12)
    await house.slack.submit(ADA)
    await house.until_async(lambda: state_of(house, RequestState.DONE))
    await house.told("$50 added for you", LINUS, seconds=20)


async def test_a_charge_that_does_not_pay_its_request_is_not_sent(house: House) -> None:
    await asked(house)
    await review(house, ADA, "Total")
    store, deciding = house.app.runtime.request_store, house.app.runtime.deciding
    # As a process of the release before confirms: it knows no requests.
    former, deciding.pay = deciding.pay, _knows_no_requests(store)  # type: ignore[method-assign, assignment]
    await house.slack.submit(ADA)
    await house.told("was withdrawn", ADA)
    deciding.pay = former  # type: ignore[method-assign]
    assert money_requests(house) == 0
    await pay(house, GRACE)
    await house.told("paid by <@U0GRACE>", LINUS)


def _knows_no_requests(store: RequestStore) -> Callable[..., Awaitable[FundsRequest | None]]:
    async def pay(
        transaction: Transaction, charge: Charge, _memberships: object, **_named: object
    ) -> FundsRequest | None:
        return await store.read(transaction, charge.request_id or "")

    return pay


async def test_what_waited_in_a_restored_copy_is_not_paid_a_second_time(house: House) -> None:
    await connected(house)
    await house.link(ADA, "ada", billing=False)
    await ask(house)
    for user in (ADA, GRACE):
        await house.told("asks for $50", user)
    await pay(house, ADA)
    await house.told("is enabling billing", GRACE)
    await mark_restored(house.app.runtime.database)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=11))
        await review(house, GRACE, "is paying this already")
        frozen.tick(timedelta(days=1))
        house.app.engine.wake("charge")
        await house.until_async(lambda: state_of(house, RequestState.UNRESOLVED))


async def test_after_a_reminder_a_failed_payment_is_announced_as_what_it_is(house: House) -> None:
    await connected(house)
    await ask(house, "10.01")
    await house.told("asks for $10.01", GRACE)
    await house.slack.click_text(LINUS, "Remind", in_="message")
    await house.replied("nobody has decided yet", GRACE)
    await pay(house, ADA)
    await house.replied("Open again", GRACE)
    assert sum("nobody has decided yet" in each["text"] for each in house.replies(GRACE)) == 1
