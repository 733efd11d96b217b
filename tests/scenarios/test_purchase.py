"""A purchase from the command to its last message."""

from __future__ import annotations

from decimal import Decimal

import pytest
from freezegun import freeze_time

from bot.domain.charge import ChargeState
from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import bought, keys_sent


@pytest.mark.behavior(7)
@pytest.mark.behavior(13)
@pytest.mark.behavior(23)
async def test_a_purchase_from_the_first_command_to_the_settled_message(house: House) -> None:
    await house.connect()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])

    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: house.modal().submit)
    assert house.modal().title == "Add funds"
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    assert house.modal().title == "Processing"

    message = await house.told("$50 added to your balance")
    assert "New balance: *$192.50* · Acme Research" in message["text"]
    assert len(house.dm()) == 1
    assert message["edited"]
    assert f"Reference `{(await house.charges())[0].id[:8]}`" in message["text"]
    assert message["metadata"]["event_payload"] == {"charge": (await house.charges())[0].id}
    assert [charge.amount for charge in house.portal.charges] == [Decimal(50)]
    assert len(keys_sent(house)) == 1
    await house.until(lambda: house.modal().title == "Done")
    assert "New balance: *$192.50* · Acme Research" in house.modal().text
    assert [charge.state for charge in await house.charges()] == [ChargeState.SETTLED]
    assert house.replies() == []


@pytest.mark.behavior(13)
async def test_the_confirmation_names_total_card_reason_organization_and_consent(house: House) -> None:
    await house.link()
    cap = house.portal.organizations["acme"].cap
    assert cap is not None
    cap.limit = Decimal(2000)
    await house.slack.command(ADA, "/billing buy $1,000.00")
    await house.confirm_shown()
    assert house.modal().submit == "Pay $1,000 now"
    for words in (
        "$1,000",
        "Visa ····4242",
        "the card on your subscription",
        "Acme Research",
        "By confirming, you allow Nous Research to charge your card.",
    ):
        assert words in house.modal().text
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
async def test_a_double_click_on_pay_makes_one_charge_and_one_message(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    submission = next(each for each in house.slack.deliveries if each.kind == "view_submission")
    await house.send_signed(submission.raw_body)
    await house.send_signed(submission.raw_body)
    await house.told("added to your balance")
    assert len(house.portal.charges) == 1
    assert len(keys_sent(house)) == 1
    assert len(house.dm()) == 1


@pytest.mark.behavior(63)
async def test_a_closed_confirmation_cannot_be_paid(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    view = await house.confirm_shown()
    await house.slack.close(ADA)
    late = await house.submit_again(view)
    assert "This has expired. Nothing was charged" in Shown(late["view"]).text
    assert keys_sent(house) == []


@pytest.mark.behavior(63)
async def test_a_confirmation_expires_after_a_quarter_of_an_hour(house: House) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        await house.link()
        await house.slack.command(ADA, "/billing buy 50")
        await house.confirm_shown()
        frozen.tick(15 * 60)
        await house.slack.submit(ADA)
        assert "This has expired. Nothing was charged" in house.modal().text
        assert keys_sent(house) == []


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
    await house.slack.close(ADA, everything=True)
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
        ("10.08", "not available in the portal"),
        ("10.09", "payment processor is not available"),
    ],
)
async def test_a_429_or_503_is_shown_at_once_without_a_retry(house: House, amount: str, words: str) -> None:
    await house.link()
    await house.buy(amount)
    message = await house.told(words)
    assert f"${amount} was not charged" in message["text"]
    assert "Try again in about" in message["text"]
    assert len(keys_sent(house)) == 1
    if amount == "10.09":
        assert "Too many" not in message["text"]


@pytest.mark.behavior(23)
async def test_a_message_whose_answer_was_lost_is_found_after_a_rate_limit(house: House) -> None:
    await house.link()
    house.slack.faults.add("chat.postMessage", "drop_after", times=1)
    house.slack.faults.add("conversations.history", "ratelimited", times=1)
    await house.buy("50")
    await house.told("$50 added to your balance", seconds=20)
    assert len(house.dm()) == 1


async def test_a_charge_goes_on_after_a_restart_with_one_message(house: House) -> None:
    await bought(house, "50")
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
