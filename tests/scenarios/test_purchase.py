"""Signed requests in, calls to Slack and to the portal out: buying."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from freezegun import freeze_time

from bot.domain.charge import ChargeState
from bot.sandbox.portal import Fault
from tests.support.house import ADA, GRACE, House


def posts(house: House) -> list[str]:
    return [str(post.key) for post in house.portal.charge_posts]


@pytest.mark.behavior(7)
@pytest.mark.behavior(13)
@pytest.mark.behavior(23)
async def test_a_purchase_from_the_first_command_to_the_settled_message(house: House) -> None:
    await house.connect()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Balance $142.50" in house.last_ephemeral()["text"])

    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    assert house.view_title() == "Add funds"
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    assert house.view_title() == "Processing"

    message = await house.told("$50 added to your balance")
    assert len(house.dm()) == 1
    assert message["edited"]
    assert message["metadata"]["event_payload"] == {"charge": (await house.charges())[0].id}
    assert [charge.amount for charge in house.portal.charges] == [Decimal(50)]
    assert len(posts(house)) == 1
    await house.until(lambda: house.view_title() == "Done")
    assert [charge.state for charge in await house.charges()] == [ChargeState.SETTLED]
    assert house.replies() == []


@pytest.mark.behavior(13)
async def test_the_confirmation_names_total_card_reason_organization_and_consent(house: House) -> None:
    await house.link()
    cap = house.portal.organizations["acme"].cap
    assert cap is not None
    cap.limit = Decimal(2000)
    await house.slack.command(ADA, "/billing buy $1,000.00")
    view = await house.confirm_shown()
    shown = str(view)
    assert view["submit"]["text"] == "Pay $1,000 now"
    for words in (
        "$1,000",
        "Visa ····4242",
        "the card on your subscription",
        "Acme Research",
        "By confirming, you allow Nous Research to charge your card.",
    ):
        assert words in shown
    assert house.portal.charge_posts == []


@pytest.mark.behavior(64)
async def test_the_confirmation_carries_an_id_and_neither_amount_nor_payer(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    values = [element.get("value", "") for block in view["blocks"] for element in block.get("elements", [])]
    assert {view["private_metadata"], ""} >= {value for value in values if isinstance(value, str)}
    assert "50" not in view["private_metadata"].split()


@pytest.mark.behavior(27)
async def test_a_double_click_on_pay_is_one_charge_and_one_message(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    submission = next(each for each in house.slack.deliveries if each.kind == "view_submission")
    await house.send_signed(submission.raw_body)
    await house.send_signed(submission.raw_body)
    await house.told("added to your balance")
    assert len(house.portal.charges) == 1
    assert len(posts(house)) == 1
    assert len(house.dm()) == 1


@pytest.mark.behavior(20)
@pytest.mark.parametrize("typed", ["nan", "inf", "1e3", "1_000", "１００", "ten", "-5", "0", "10.001"])
async def test_an_amount_that_is_none_is_one_clear_sentence(house: House, typed: str) -> None:
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
async def test_a_wrong_amount_in_the_modal_is_said_beside_the_field(
    house: House, preset: str, custom: str, words: str
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.select(ADA, "amount_preset", preset)
    await house.until(lambda: "amount_custom" in str(house.slack.view(ADA)))
    await house.slack.type(ADA, "amount_custom", custom)
    answer = await house.slack.submit(ADA)
    assert answer.errors == {"amount_custom": words}
    assert house.view_title() == "Add funds"


@pytest.mark.behavior(12)
async def test_the_line_for_another_amount_comes_and_goes_with_the_choice(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    assert "amount_custom" not in str(house.slack.view(ADA))
    await house.slack.select(ADA, "amount_preset", "custom")
    await house.until(lambda: "amount_custom" in str(house.slack.view(ADA)))
    await house.slack.select(ADA, "amount_preset", "25")
    await house.until(lambda: "amount_custom" not in str(house.slack.view(ADA)))
    await house.slack.submit(ADA)
    await house.confirm_shown()
    assert "$25" in str(house.slack.view(ADA))


async def test_a_choice_and_another_amount_that_differ_are_not_guessed_at(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    view = house.slack.view(ADA) or {}
    option = {"selected_option": {"value": "50"}, "type": "radio_buttons"}
    values = {
        "amount_preset": {"amount_preset": option},
        "amount_custom": {"amount_custom": {"type": "plain_text_input", "value": "30"}},
    }
    answer = await house.submit_again(view, values=values)
    assert "You chose an amount above too" in str(answer)


@pytest.mark.behavior(20)
async def test_an_amount_out_of_bounds_after_the_command_returns_to_the_amount(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 4")
    await house.until(lambda: "The smallest amount is $5" in str(house.slack.view(ADA)))
    assert house.view_title() == "Add funds"
    assert "'initial_value': '$4'" in str(house.slack.view(ADA))


async def test_back_returns_to_the_amount_and_turns_the_proposal_down(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 42")
    view = await house.confirm_shown()
    await house.slack.click_text(ADA, "Back")
    await house.until(
        lambda: house.view_title() == "Add funds" and (house.slack.view(ADA) or {}).get("submit")
    )
    assert "'initial_value': '$42'" in str(house.slack.view(ADA))
    charge = await house.app.runtime.purchases.cancel(house.identity(), view["private_metadata"])
    assert charge.state is ChargeState.CANCELLED


@pytest.mark.behavior(63)
async def test_closing_the_confirmation_turns_it_down_and_a_late_yes_says_so(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    await house.slack.close(ADA)
    late = await house.submit_again(view)
    assert "This has expired. Nothing was charged" in str(late)
    assert posts(house) == []


@pytest.mark.behavior(63)
async def test_a_confirmation_expires_after_a_quarter_of_an_hour(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.slack.command(ADA, "/billing buy 50")
        await house.confirm_shown()
        frozen.tick(15 * 60)
        answer = await house.slack.submit(ADA)
        assert "This has expired. Nothing was charged" in str(answer.response)
        assert posts(house) == []


@pytest.mark.behavior(31)
@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("10.01", "was declined"),
        ("10.02", "has expired"),
        ("10.03", "requires verification"),
        ("10.04", "didn't go through"),
    ],
)
async def test_each_failure_has_its_words_and_the_portal(house: House, amount: str, words: str) -> None:
    await house.link()
    await house.buy(amount)
    message = await house.told(words)
    assert "Nothing was added to your balance" in message["text"]
    assert f"{house.portal.public_url}/billing" in message["text"]
    await house.until(lambda: len(house.replies()) == 1)
    assert words in house.replies()[0]["text"]
    assert len(house.portal.charges) == 1


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("10.07", "Too many charges"),
        ("10.08", "not available on the portal"),
        ("10.09", "payment processor is not available"),
    ],
)
async def test_429_and_503_are_told_at_once_without_a_retry(house: House, amount: str, words: str) -> None:
    await house.link()
    await house.buy(amount)
    message = await house.told(words)
    assert f"${amount} was not charged" in message["text"]
    assert "^Try again {date_short_pretty}" in message["text"]
    assert len(posts(house)) == 1
    if amount == "10.09":
        assert "Too many" not in message["text"]


@pytest.mark.behavior(24)
@pytest.mark.behavior(26)
@pytest.mark.parametrize("amount", ["10.10", "10.12", "10.13"])
async def test_an_ambiguous_answer_is_asked_again_with_the_same_key(house: House, amount: str) -> None:
    await house.link()
    await house.buy(amount)
    await house.told(f"${amount} added to your balance", seconds=12)
    assert len(posts(house)) >= 2
    assert len(set(posts(house))) == 1
    assert len(house.portal.charges) == 1


@pytest.mark.behavior(25)
@pytest.mark.behavior(26)
@pytest.mark.behavior(28)
@pytest.mark.parametrize("amount", ["10.11", "10.14", "10.15", "10.16", "10.17"])
async def test_a_minute_without_a_clear_answer_may_or_may_not_have_been_charged(
    house: House, amount: str
) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy(amount)
        await house.told("Adding")
        await house.unanswered()
        frozen.tick(61)
        message = await house.told("may or may not have been charged")
        assert "was not charged" not in message["text"]
        assert "declined" not in message["text"]
        assert "Check again" in str(message["blocks"])
        assert len(set(posts(house))) == 1
        assert len(house.portal.charges) <= 1
        await house.until(lambda: house.view_title() == "Not confirmed")


@pytest.mark.behavior(26)
async def test_an_unconfirmed_charge_is_resolved_by_check_again_with_the_same_key(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
        await house.buy("50")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        house.portal.clear_faults()
        await house.slack.click_text(ADA, "Check again")
        await house.told("Adding $50")
        frozen.tick(3)
        await house.told("$50 added to your balance")
    assert len(set(posts(house))) == 1
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


@pytest.mark.behavior(32)
async def test_an_overdue_charge_is_followed_up_across_restarts_and_its_message_brought_up_to_date(
    house: House,
) -> None:
    house.portal_clock.speed = 0
    with freeze_time(real_asyncio=True) as frozen:
        await house.link(minutes=60 * 24)
        await house.buy("50")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.restart()
        polls = house.polls()
        frozen.tick(timedelta(hours=3))
        await house.until(lambda: house.polls() > polls)
        await house.restart()
        house.portal_clock.speed = 100
        frozen.tick(timedelta(hours=2))
        await house.told("$50 added to your balance")
        await house.until(lambda: len(house.replies()) == 2)
    assert len(house.dm()) == 1
    assert len(house.portal.charges) == 1


@pytest.mark.behavior(26)
async def test_check_again_in_the_modal_ends_in_what_the_check_found(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), times=99, method="POST")
        await house.buy("50")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        await house.until(lambda: "Check again" in str(house.slack.view(ADA)))
        house.portal.clear_faults()
        house.portal.fail("/api/billing/charge", Fault(seconds=1), times=1, method="POST")
        await house.slack.click(ADA, "check_again", in_="view")
        await house.told("Adding $50")
        frozen.tick(3)
        await house.told("$50 added to your balance")
        await house.until(lambda: house.view_title() == "Done")


@pytest.mark.behavior(23)
async def test_a_post_whose_answer_was_lost_is_looked_for_even_after_being_put_off(house: House) -> None:
    await house.link()
    house.slack.faults.add("chat.postMessage", "drop_after", times=1)
    house.slack.faults.add("conversations.history", "ratelimited", times=1)
    await house.buy("50")
    await house.told("$50 added to your balance", seconds=20)
    assert len(house.dm()) == 1


async def test_an_equal_charge_that_settled_untold_asks_buy_again(house: House) -> None:
    await house.link()
    house.slack.faults.add("chat.postMessage", "drop_before", times=1000)
    await house.buy("50")
    await house.until(lambda: [each.status for each in house.portal.charges] == ["settled"])
    await house.state(ChargeState.SETTLED)
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    assert "Buy again?" in str(view)
    assert "has just gone through" in str(view)
    house.slack.faults.clear()
    await house.told("$50 added to your balance")


@pytest.mark.behavior(29)
@pytest.mark.behavior(32)
async def test_pending_at_the_cap_is_a_timeout_and_not_a_failure(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.06")
        await house.submitted()
        frozen.tick(299)
        polls = house.polls()
        await house.until(lambda: house.polls() >= polls + 2)
        assert "Adding" in house.dm()[-1]["text"]
        frozen.tick(2)
        message = await house.told("a timeout, not a failure")
        assert "Check again" in str(message["blocks"])
        await house.until(house.replies)


@pytest.mark.behavior(32)
async def test_a_charge_that_settles_after_the_cap_is_told_in_the_same_message(house: House) -> None:
    await house.restart(poll_cap_seconds=20)
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.05")
        await house.submitted()
        frozen.tick(21)
        await house.told("a timeout, not a failure")
        frozen.tick(31)
        await house.told("$10.05 added to your balance")
        await house.until(lambda: len(house.replies()) == 2)
    assert len(house.dm()) == 1
    assert "added to your balance" in house.replies()[1]["text"]


@pytest.mark.behavior(61)
async def test_check_again_while_still_pending_says_when_it_was_checked(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.06")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.slack.click_text(ADA, "Check again")
        await house.told("nothing new yet")
    assert len(house.dm()) == 1


@pytest.mark.behavior(35)
@pytest.mark.parametrize("scenario", ["polls-dropped", "polls-unavailable", "polls-rate-limited"])
async def test_polling_goes_on_through_what_is_not_an_answer(house: House, scenario: str) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        house.portal.set_scenario("acme", scenario)
        await house.buy("50")
        await house.until(lambda: house.polls() >= 1)
        house.portal.set_scenario("acme", "by-amount")
        frozen.tick(5)
        await house.told("$50 added to your balance", seconds=12)


@pytest.mark.behavior(36)
@pytest.mark.parametrize("retry_after", ["-5", "soon", "Sun, 22 Nov 2020 12:00:00 GMT", "99999999999"])
async def test_a_bad_retry_after_never_ends_the_polling(house: House, retry_after: str) -> None:
    await house.link()
    fault = Fault(status=429, body='{"error": "rate_limited"}', retry_after=retry_after)
    house.portal.fail("/api/billing/charge/", fault, times=1)
    await house.buy("50")
    await house.told("$50 added to your balance", seconds=12)


@pytest.mark.behavior(34)
@pytest.mark.parametrize(
    ("lose", "words"),
    [
        ("session", "logged out"),
        ("spending", "switched off"),
        ("link", "Connect again"),
    ],
)
async def test_access_lost_while_polling_leaves_the_end_open_and_never_failed(
    house: House, lose: str, words: str
) -> None:
    await house.link()
    await house.buy("10.06")
    await house.submitted()
    if lose == "session":
        house.portal.revoke_session("ada")
    elif lose == "spending":
        house.portal.revoke_spending("ada")
    else:
        await house.slack.command(ADA, "/billing disconnect")
    message = await house.told("may or may not have been charged")
    assert words in message["text"]
    assert "was not charged" not in message["text"]


@pytest.mark.behavior(30)
async def test_the_server_names_the_amount_that_settled(house: House) -> None:
    await house.link()
    body = '{"status": "settled", "amountUsd": "49.5"}'
    house.portal.fail("/api/billing/charge/", Fault(status=200, body=body), times=1)
    await house.buy("50")
    await house.told("$49.50 added to your balance")


async def test_a_slow_settlement_is_notified_in_the_thread(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.05")
        await house.submitted()
        frozen.tick(41)
        await house.told("added to your balance")
        await house.until(lambda: len(house.replies()) == 1)


async def test_an_equal_charge_with_an_open_end_asks_buy_again(house: House) -> None:
    await house.link()
    await house.buy("10.06")
    await house.submitted()
    await house.slack.command(ADA, "/billing buy 10.06")
    view = await house.confirm_shown()
    assert "Buy again?" in str(view)
    await house.link(GRACE, "grace")
    await house.slack.command(GRACE, "/billing buy 10.06")
    assert "Buy again?" not in str(await house.confirm_shown(GRACE))


async def test_the_third_of_equal_charges_goes_through_at_the_yes_as_the_second_did(house: House) -> None:
    await house.link()
    await house.buy("10.06")
    for _ in ("second", "third"):
        await house.submitted()
        await house.slack.command(ADA, "/billing buy 10.06")
        await house.until(lambda: "Buy again?" in str(house.slack.view(ADA)))
        await house.slack.submit(ADA)
    await house.until(lambda: len(house.portal.charges) == 3)


async def test_a_charge_goes_on_after_a_restart_with_one_message(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.submitted()
    await house.restart()
    await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1
    assert len(house.dm()) == 1


@pytest.mark.behavior(61)
async def test_a_confirmation_shown_before_a_restart_still_works_after_it(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.restart()
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")


async def test_another_account_connected_meanwhile_never_pays_for_this_one(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.link(ADA, "theo")
    await house.slack.submit(ADA)
    await house.told("$50 was not charged")
    assert house.portal.charges == []


async def test_an_equal_charge_that_opens_meanwhile_asks_buy_again_at_the_yes(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 10.06")
    first = await house.confirm_shown()
    await house.slack.command(ADA, "/billing buy 10.06")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("id") != first["id"])
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.submitted()
    answer = await house.submit_again(first)
    assert "Buy again?" in str(answer)
    assert len(house.portal.charges) == 1
    second = answer["view"]
    await house.submit_again({**first, "private_metadata": second["private_metadata"]})
    await house.until(lambda: len(house.portal.charges) == 2)


async def test_an_overdue_charge_whose_owner_disconnects_says_what_keeps_the_answer_away(
    house: House,
) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.06")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        await house.slack.command(ADA, "/billing disconnect")
        await house.until(lambda: "*Disconnected.*" in house.last_ephemeral()["text"])
        frozen.tick(31)
        await house.told("may or may not have been charged")
        await house.link()
        frozen.tick(31)
        await house.told("The portal gave no clear answer")


async def test_check_again_never_makes_a_charge_days_later(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.buy("10.16")
        await house.unanswered()
        frozen.tick(61)
        await house.told("may or may not have been charged")
        await house.until(lambda: house.app.engine.in_flight == 0)
        frozen.tick(2 * 86_400)
        await house.link()
        house.portal.set_scenario("acme", "settles")
        sent = len(posts(house))
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Check again")
        await house.until(lambda: "can no longer ask" in house.last_ephemeral()["text"])
    assert len(posts(house)) == sent
    assert house.portal.charges == []
