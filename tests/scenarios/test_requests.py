"""A member asks for funds, and somebody who may pays: asking, and what the cards say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from bot.domain.request import RequestState
from bot.domain.request_errors import AskedAlreadyError
from bot.storage.restored import mark_restored
from tests.support.asking import (
    REASON,
    ask,
    asked,
    card,
    connected,
    filled_in,
    has_card,
    pay,
    review,
    state_of,
    the_request,
)
from tests.support.house import ADA, DIRECTORY, GRACE, LINUS, make_slack, open_house
from tests.support.steps import ask as typed
from tests.support.steps import money_requests, shown_in_modal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.house import House

PAID = "$50 added* for <@U0LINUS> · paid by <@U0ADA>"


async def test_a_member_asks_and_somebody_who_may_pays(house: House) -> None:
    await asked(house)
    assert REASON in house.last_message(ADA).text
    assert "<@U0ADA> and <@U0GRACE> were told" in house.last_message(LINUS).text
    await pay(house)
    await house.told("$50 added for you", LINUS)
    await house.told("$50 added to your balance", ADA)
    await house.until(lambda: any(PAID in each["text"] for each in house.dm(ADA)))
    await house.told(PAID, GRACE)
    await house.replied("has added $50", LINUS)
    assert money_requests(house) == 1


async def test_the_form_says_who_will_be_asked_and_keeps_what_was_typed(house: House) -> None:
    await connected(house)
    await filled_in(house)
    shown = house.modal(LINUS)
    assert "Asked: <@U0ADA> and <@U0GRACE>." in shown.text
    assert shown.submit == "Ask for $50"
    assert shown.fields["reason"].initial == REASON


async def test_without_arguments_the_form_is_empty_and_the_reason_is_needed(house: House) -> None:
    await connected(house)
    await house.slack.command(LINUS, "/billing request")
    await house.until(lambda: house.modal(LINUS).submit == "Ask")
    assert house.modal(LINUS).fields["reason"].initial == ""


async def test_words_without_an_amount_become_the_reason(house: House) -> None:
    await connected(house)
    await house.slack.command(LINUS, "/billing request evals for Friday")
    await house.until(lambda: house.modal(LINUS).submit == "Ask")
    assert house.modal(LINUS).fields["reason"].initial == "evals for Friday"


async def test_an_amount_that_the_portal_does_not_take_is_said_above_the_fields(house: House) -> None:
    await connected(house)
    await house.slack.command(LINUS, "/billing request 5000 a cluster")
    await shown_in_modal(house, "The largest amount is", LINUS)
    assert house.modal(LINUS).fields["reason"].initial == "a cluster"


async def test_what_a_person_wrote_is_plain_text_on_the_card(house: House) -> None:
    await connected(house)
    await ask(house, reason="<https://evil.example|Approve here> *now*")
    card = await house.told("asks for $50", ADA)
    written = [block["text"] for block in card["blocks"] if "Approve here" in str(block)]
    assert [text["type"] for text in written] == ["plain_text"]


async def test_a_person_who_is_not_connected_connects_and_goes_on(house: House) -> None:
    await house.link(ADA, "ada")
    await house.slack.command(LINUS, f"/billing request 50 {REASON}")
    await shown_in_modal(house, "Connect your Nous Portal account first", LINUS)
    await house.slack.click_text(LINUS, "Connect")
    await house.until(lambda: house.modal(LINUS).code)
    house.portal.approve(house.modal(LINUS).code, "linus")
    await shown_in_modal(house, f"Continue with /billing request 50 {REASON}"[:40], LINUS)


async def test_a_member_who_tries_to_buy_is_offered_to_ask(house: House) -> None:
    await connected(house)
    await house.slack.command(LINUS, "/billing buy 50")
    await shown_in_modal(house, "Ask for $50", LINUS)
    await house.slack.click_text(LINUS, "Ask for $50")
    await house.until(lambda: house.modal(LINUS).submit == "Ask for $50")


async def test_the_overview_of_a_member_has_the_button_and_that_of_an_owner_has_not(house: House) -> None:
    await connected(house)
    await typed(house, "/billing", LINUS)
    assert "Ask for funds" in house.answer(LINUS).buttons
    await typed(house, "/billing", ADA)
    assert "Ask for funds" not in house.answer(ADA).buttons


async def test_whoever_may_add_funds_is_told_so_and_can_ask_nonetheless(house: House) -> None:
    await connected(house)
    await house.slack.command(GRACE, f"/billing request 50 {REASON}")
    await shown_in_modal(house, "You may add it yourself", GRACE)
    assert "Add $50" in house.modal(GRACE).buttons
    await house.slack.click_text(GRACE, "Ask somebody else")
    await house.until(lambda: house.modal(GRACE).submit == "Ask for $50")
    assert "Asked: <@U0ADA>." in house.modal(GRACE).text


async def test_a_member_over_their_own_cap_is_told_that_funds_do_not_help(house: House) -> None:
    await connected(house, U0LINUS="omar")
    await house.slack.command(LINUS, "/billing request 50 more")
    await shown_in_modal(house, "More funds won't lift it", LINUS)
    await house.slack.click_text(LINUS, "Ask anyway")
    await house.until(lambda: house.modal(LINUS).submit == "Ask for $50")


async def test_the_same_amount_twice_is_one_request(house: House) -> None:
    await asked(house)
    await filled_in(house)
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "You asked for $50 already.", LINUS)
    assert {"Show it", "Remind"} <= set(house.modal(LINUS).buttons)
    assert house.modal(LINUS).fields["reason"].initial == REASON


async def test_a_form_that_is_sent_again_files_nothing_new_even_once_it_is_paid(house: House) -> None:
    """The first answer was lost on the way, and somebody has paid before the second press."""
    await connected(house)
    requests, linus = house.app.runtime.requests, house.identity(LINUS)
    link = await house.app.runtime.accounts.link(linus)
    sent = {"reason": REASON, "account": link.account.account_id, "form_id": "V0FORM"}
    first = await requests.file(linus, Decimal(50), **sent)
    await has_card(house, ADA)
    await pay(house)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)
    again = await requests.file(linus, Decimal(50), **sent)
    assert again.id == first.id
    assert len((await requests.listed(linus, everything=False)).own) == 1
    with pytest.raises(AskedAlreadyError):
        await requests.file(linus, Decimal(60), **sent)


async def test_what_was_paid_and_is_not_shown_yet_is_not_asked_for_again(house: House) -> None:
    await asked(house)
    house.slack.faults.add("chat.update", "error", times=1_000)
    await pay(house)
    await house.until_async(lambda: state_of(house, RequestState.DONE))
    await filled_in(house)
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "You asked for $50 already.", LINUS)
    house.slack.faults.clear()
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text, seconds=20)
    await house.slack.close(LINUS, everything=True)
    await filled_in(house)
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "Asked: $50", LINUS)


async def test_three_open_requests_are_enough(house: House) -> None:
    await connected(house)
    for amount in ("25", "50", "100"):
        await ask(house, amount)
    await filled_in(house, "75")
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "You have three open requests already", LINUS)


async def test_a_request_that_nobody_here_can_pay_says_whom_to_invite(house: House) -> None:
    await house.link(LINUS, "linus")
    await ask(house)
    words = house.last_message(LINUS).text
    assert "Nobody who may pay for Acme Research is connected here yet" in words
    assert "/billing connect" in words


async def test_whoever_connects_later_and_may_pay_gets_the_card(house: House) -> None:
    await house.link(LINUS, "linus")
    await ask(house)
    await house.connect(ADA, "ada")
    await house.told("asks for $50", ADA)


@pytest.mark.parametrize("guests", [False, True])
async def test_a_guest_asks_only_where_the_operator_lets_guests_ask(tmp_path: Path, guests: bool) -> None:
    people = tuple(replace(each, is_guest=each.id == LINUS) for each in DIRECTORY.people)
    slack = make_slack(replace(DIRECTORY, people=people))
    async with open_house(tmp_path, slack=slack, request_guests=guests) as house:
        await connected(house)
        await house.slack.command(LINUS, "/billing request 50 please")
        words = "Asked: <@U0ADA>" if guests else "Only full members"
        await shown_in_modal(house, words, LINUS)


async def test_edited_it_has_a_new_version_and_new_cards(house: House) -> None:
    await asked(house)
    await house.slack.click_text(LINUS, "Edit", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Save")
    await house.slack.select(LINUS, "amount_preset", "100")
    await house.slack.submit(LINUS)
    await house.told("asks for $100", ADA)
    assert (await the_request(house)).version == 2


async def test_a_withdrawn_request_has_no_buttons_left(house: House) -> None:
    await asked(house)
    await house.slack.click_text(LINUS, "Withdraw", in_="message")
    await house.told("*Withdrawn* by <@U0LINUS>", ADA)
    assert house.last_message(ADA).buttons == []
    await house.until(lambda: house.last_message(LINUS).buttons == ["Ask again"])


async def test_a_reminder_is_a_reply_and_the_next_has_to_wait(house: House) -> None:
    await asked(house)
    await house.slack.click_text(LINUS, "Remind", in_="message")
    await house.replied("nobody has decided yet", ADA)
    await house.slack.click_text(LINUS, "Remind", in_="message")
    await house.until(lambda: "You reminded them a short time ago" in house.last_ephemeral(LINUS)["text"])


@pytest.mark.parametrize("user", [ADA, LINUS])
async def test_the_list_says_what_waits_and_what_became_of_the_others(house: House, user: str) -> None:
    await asked(house)
    await typed(house, "/billing requests", user)
    heading = "Waiting for you" if user == ADA else "Your requests"
    assert heading in house.answer(user).text


async def test_home_begins_with_what_waits(house: House) -> None:
    await asked(house)
    await house.slack.open_home(ADA)
    await house.until(lambda: "Waiting for you" in house.home(ADA).text)
    assert REASON in house.home(ADA).text


async def test_denied_the_requester_reads_why(house: House) -> None:
    await asked(house)
    await house.slack.click_text(GRACE, "Deny", in_="message")
    await house.until(lambda: house.modal(GRACE).submit == "Deny")
    await house.slack.type(GRACE, "reason", "use the shared key first")
    await house.slack.submit(GRACE)
    await shown_in_modal(house, "is told why", GRACE)
    await house.replied("said no", LINUS)
    assert "use the shared key first" in house.last_reply(LINUS).text
    await house.told("*Denied* by <@U0GRACE>", ADA)
    assert house.last_message(ADA).buttons == []
    assert money_requests(house) == 0


async def test_an_earlier_denial_is_named_when_the_same_is_asked_again(house: House) -> None:
    await test_denied_the_requester_reads_why(house)
    await ask(house)
    await house.told("asks for $50", ADA)
    await review(house, ADA, "Total")
    assert "denied $50" in house.modal(ADA).text
    assert "use the shared key first" in house.modal(ADA).text


async def test_the_log_tells_who_asked_who_decided_and_what_did_not_count(house: House) -> None:
    await asked(house)
    await review(house, GRACE, "Total")
    await pay(house, ADA)
    await house.told("$50 added for you", LINUS)
    await house.slack.submit(GRACE)
    await shown_in_modal(house, "$50 added", GRACE)
    await house.app.runtime.audit.seal()
    entries = [seal.entry async for seal in house.app.runtime.audit.sealed()]
    told = [(each.actor, each.result) for each in entries if each.action == "request"]
    assert told == [
        ("T0ACME:U0LINUS", "asked"),
        ("T0ACME:U0ADA", "charging"),
        ("app", "done"),
        ("T0ACME:U0GRACE", "refused-decided"),
    ]
    assert REASON not in str(entries)


async def test_a_purchase_for_a_request_is_traced_from_the_asking(house: House) -> None:
    await asked(house)
    await pay(house, ADA)
    await house.told("$50 added for you", LINUS)
    said = await typed(house, "/billing trace", ADA)
    assert "<@U0LINUS>" in said
    assert REASON in said


async def test_a_request_can_be_traced_by_who_asked_and_by_who_may_charge_alone(house: House) -> None:
    await asked(house)
    request = await the_request(house)
    for user, words in ((LINUS, REASON), (GRACE, REASON)):
        assert words in await typed(house, f"/billing trace {request.id}", user)
    await house.link("U0OMAR", "omar")
    assert "no such purchase" in await typed(house, f"/billing trace {request.id}", "U0OMAR")


async def test_filing_asks_the_portal_twice_and_a_review_once(house: House) -> None:
    await connected(house)
    for user in (ADA, GRACE):
        await typed(house, "/billing", user)  # what they may do is known from now on

    def calls() -> list[str]:
        return [each.path for each in house.portal.requests[before:]]

    before = len(house.portal.requests)
    await ask(house)
    await house.told("asks for $50", ADA)
    assert sorted(calls()) == ["/api/billing/state", "/api/oauth/account"]
    before = len(house.portal.requests)
    await review(house, ADA, "Total")
    assert calls() == ["/api/billing/state"]


async def test_open_requests_of_a_restored_copy_end_as_they_may_have_been_paid(house: House) -> None:
    await asked(house)
    await mark_restored(house.app.runtime.database)
    await house.restart()
    await house.told("it may have been paid", ADA)
    assert house.last_message(ADA).buttons == []


async def test_switched_off_the_commands_are_unknown_and_what_is_open_ends(house: House) -> None:
    await asked(house)
    await house.restart(team_spending=False)
    await house.told("requests were switched off", ADA)
    assert "There is no `/billing request`" in await typed(house, "/billing request", LINUS)
    assert "/billing requests" not in await typed(house, "/billing help", LINUS)
    await typed(house, "/billing", LINUS)
    assert "Ask for funds" not in house.answer(LINUS).buttons


async def test_a_colleague_who_may_not_pay_learns_nothing_of_a_request_whose_id_they_know(
    house: House,
) -> None:
    await asked(house)
    await house.link("U0OMAR", "omar")
    request = await the_request(house)
    await house.slack.command("U0OMAR", f"/billing review {request.id}")
    await shown_in_modal(house, "Only an owner, admin or finance admin", "U0OMAR")
    assert REASON not in house.modal("U0OMAR").text
    assert "Deny…" not in house.modal("U0OMAR").buttons


async def test_shown_from_the_list_it_can_be_withdrawn_there(house: House) -> None:
    await asked(house)
    await typed(house, "/billing requests", LINUS)
    await house.slack.click_text(LINUS, "Show", in_="ephemeral")
    await house.until(lambda: "Withdraw" in house.answer(LINUS).buttons)
    await house.slack.click_text(LINUS, "Withdraw", in_="ephemeral")
    await house.until(lambda: "Withdrawn" in house.answer(LINUS).text)


@pytest.mark.parametrize("amount", ["9" * 60, "$1.234", "12,3,4"])
async def test_an_amount_that_cannot_be_read_opens_the_form_with_the_problem(
    house: House, amount: str
) -> None:
    await connected(house)
    await house.slack.command(LINUS, f"/billing request {amount} evals")
    await house.until(lambda: house.modal(LINUS).submit.startswith("Ask"))
    assert house.modal(LINUS).fields["reason"].initial == "evals"
    await house.slack.command(GRACE, f"/billing request {amount} evals")
    await shown_in_modal(house, "You may add it yourself", GRACE)


async def test_the_next_that_waits_is_one_click_away_after_a_decision(house: House) -> None:
    await asked(house)
    await ask(house, "60")
    await house.told("asks for $60", ADA)
    await house.slack.click_text(ADA, "Review", in_="message")
    await shown_in_modal(house, "asks for *$60*", ADA)
    await house.slack.submit(ADA)
    await house.until(lambda: "Next" in house.modal(ADA).buttons)
    await house.slack.click_text(ADA, "Next")
    await shown_in_modal(house, "asks for *$50*", ADA)
    await house.slack.click_text(ADA, "Deny…")
    await shown_in_modal(house, "Reason", ADA)
    await house.slack.type(ADA, "reason", "no")
    await house.slack.submit(ADA)
    await shown_in_modal(house, "Denied", ADA)
    assert "Next" not in house.modal(ADA).buttons
