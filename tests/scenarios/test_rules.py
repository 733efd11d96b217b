"""What the operator allows: each refusal explains itself, and none of it can be walked around."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from freezegun import freeze_time

from blocks import ids
from bot.domain.next_step import Confirm
from bot.domain.rules import RuleError
from tests.support.house import ADA, GRACE, House, identity
from tests.support.steps import answered, bought, disconnect, money_requests, shown_in_modal

if TYPE_CHECKING:
    from bot.domain.next_step import Proposal


async def proposed(house: House, amount: str) -> Proposal:
    """A confirmation that is open somewhere."""
    step = await house.app.runtime.purchases.next_step(identity(ADA), Decimal(amount))
    assert isinstance(step, Confirm)
    return step.proposal


async def test_the_amount_modal_names_the_limit_for_one_charge(house: House) -> None:
    await house.restart(max_charge=Decimal(100))
    await house.link()
    await house.slack.command(ADA, "/billing buy 100.01")
    await shown_in_modal(house, "The largest amount is $100: your app manager allows no more at once")
    assert house.modal().title == "Add funds"
    assert await house.charges() == []
    await house.slack.close(ADA, everything=True)
    await house.buy("100")
    await house.told("$100 added to your balance")


async def test_a_confirmation_from_before_the_limit_was_lowered_is_refused(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 100")
    await house.confirm_shown()
    await house.restart(max_charge=Decimal(50))
    await house.slack.submit(ADA)
    await shown_in_modal(house, "The largest single charge here is $50. Your app manager set this limit.")
    assert money_requests(house) == 0


async def test_the_daily_limit_says_what_is_left_and_ends_with_the_day(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.restart(max_charge_per_day=Decimal(100))
        await bought(house, "60")
        frozen.tick(10)
        await house.told("$60 added to your balance")
        await house.slack.close(ADA, everything=True)
        await house.slack.command(ADA, "/billing buy 50")
        await shown_in_modal(
            house, "The largest amount is $40: your app manager allows you no more in 24 hours"
        )
        await house.slack.close(ADA, everything=True)
        frozen.tick(24 * 3600 + 1)
        await house.link()
        await house.slack.command(ADA, "/billing buy 50")
        await house.confirm_shown()


async def test_a_charge_that_failed_does_not_count_toward_the_daily_limit(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(100))
    await house.link()
    await house.buy("10.01")
    await house.told("was declined")
    await house.slack.close(ADA, everything=True)
    await house.buy("99")
    await house.told("$99 added to your balance")


async def test_two_confirmations_at_once_cannot_exceed_the_daily_limit(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(100))
    await house.link()
    open_ones = [await proposed(house, amount) for amount in ("60", "61")]
    purchases = house.app.runtime.purchases
    ended = await asyncio.gather(
        *(purchases.confirm(identity(ADA), each.charge.id, view_id=None) for each in open_ones),
        return_exceptions=True,
    )
    assert sum(isinstance(each, RuleError) for each in ended) == 1
    assert sum(charge.amount for charge in await house.charges()) in {60, 61}


async def test_a_person_who_is_not_on_the_list_is_refused_everywhere(house: House) -> None:
    await house.restart(allowed_users=(GRACE,))
    await house.link()
    for typed in ("/billing", "/billing buy 50", "/billing history"):
        await house.slack.command(ADA, typed)
        await answered(house, "Only certain people can use billing here")
        house.slack.forget_ephemerals(ADA)
    await house.slack.open_home(ADA)
    await house.until(lambda: "Only certain people" in house.home().text)
    await house.link(GRACE, "grace")
    await house.slack.command(GRACE, "/billing")
    await answered(house, "to use", GRACE)


async def test_a_command_in_another_channel_names_the_allowed_channels(house: House) -> None:
    await house.restart(allowed_channels=("C0BILLING",))
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await answered(house, "`/billing` works in <#C0BILLING> only. Type it there.")
    await house.slack.command(ADA, "/billing help")
    await answered(house, "What you can type")
    await house.slack.command(ADA, "/billing buy 50", "C0BILLING")
    await house.confirm_shown()


async def test_app_home_does_not_bypass_the_allowed_channels(house: House) -> None:
    await house.link()
    await house.slack.open_home(ADA)
    await house.until(lambda: "Add funds" in house.home().buttons)
    await house.restart(allowed_channels=("C0BILLING",))
    await house.slack.click_text(ADA, "Add funds", in_="home")
    await shown_in_modal(house, "`/billing` works in <#C0BILLING> only")
    await house.slack.close(ADA)
    await house.slack.open_home(ADA)
    await house.until(lambda: house.home().buttons and "Add funds" not in house.home().text)
    assert "Manage on portal" in house.home().fields[ids.MORE].options


async def test_people_cannot_spend_in_read_only_mode(house: House) -> None:
    await house.restart(read_only=True)
    await house.link()
    await house.slack.command(ADA, "/billing")
    await answered(house, "Purchases and changes are turned off")
    assert "Add funds" not in house.answer().text
    for typed in ("/billing buy 50", "/billing auto-reload off"):
        await house.slack.command(ADA, typed)
        await shown_in_modal(house, "Purchases and changes are turned off")
        await house.slack.close(ADA)
    assert not any(each.method in {"POST", "PATCH", "PUT", "DELETE"} for each in billing(house))


def billing(house: House) -> list[Any]:
    return [each for each in house.portal.requests if each.path.startswith("/api/billing")]


async def test_the_limits_apply_to_auto_reload(house: House) -> None:
    await house.restart(max_charge=Decimal(75), max_charge_per_day=Decimal(200))
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload 20 76")
    await shown_in_modal(house, "Auto-reload can reload to $75 at most here")
    await house.slack.close(ADA, everything=True)
    await house.slack.command(ADA, "/billing auto-reload 20 75")
    await shown_in_modal(house, "Turn on")


async def test_the_form_offers_only_amounts_within_the_limit(house: House) -> None:
    await house.restart(max_charge=Decimal(50))
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await shown_in_modal(house, "$50")
    assert "$100" not in house.modal().text


async def test_the_current_limits_apply_to_resume(house: House) -> None:
    await house.link(billing=False)
    await house.buy("100")
    await house.told("One-time setup")
    await house.restart(max_charge=Decimal(10))
    await house.link()
    await house.told("$100 can go on")
    await house.slack.click_text(ADA, "Resume $100", in_="message")
    await answered(house, "The largest single charge here is $10")
    assert house.portal.charges == []


async def test_a_resumed_charge_counts_toward_the_day_on_which_it_is_sent(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.restart(max_charge_per_day=Decimal(100))
        await house.link(billing=False, minutes=60 * 48)
        await house.buy("60")
        await house.told("One-time setup")
        frozen.tick(23 * 3600)
        await house.link(minutes=60 * 48)
        await house.told("$60 can go on")
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Resume $60", in_="message")
        await house.submitted()
        frozen.tick(3600 + 60)
        await house.slack.command(ADA, "/billing buy 50")
        await shown_in_modal(house, "The largest amount is $40")


async def test_a_double_click_on_pay_does_not_exceed_the_daily_limit(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(100))
    await house.link()
    await house.slack.command(ADA, "/billing buy 60")
    view = await house.confirm_shown()
    answers = await asyncio.gather(house.submit_again(view), house.submit_again(view))
    assert not any("limit" in json.dumps(each) for each in answers), answers
    await house.told("$60 added to your balance")


async def test_the_log_tells_who_did_what_from_where_and_how_it_ended(house: House) -> None:
    await house.connect()
    await house.slack.command(ADA, "/billing buy 50", "C0BILLING")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")
    await disconnect(house)
    await answered(house, "*Disconnected.*")
    audit = house.app.runtime.audit
    await audit.seal()
    told = [seal.entry async for seal in audit.sealed()]
    assert [(each.action, each.result) for each in told] == [
        ("connect", "connected"),
        ("charge", "confirmed"),
        ("charge", "submitted"),
        ("charge", "settled"),
        ("disconnect", "by the person"),
    ]
    assert {each.actor for each in told} == {"T0ACME:U0ADA"}
    assert [each.origin for each in told] == [
        "worker",
        "slack view_submission",
        "worker",
        "worker",
        "slack block_actions C0GENERAL",
    ]
    assert told[1].details["amount"] == "50.00"
    assert (await audit.verify()).broken is None


async def test_whoever_was_taken_off_the_list_can_still_disconnect(house: House) -> None:
    await house.link()
    await house.restart(allowed_users=(GRACE,))
    await house.slack.command(ADA, "/billing")
    await answered(house, "Only certain people")
    await disconnect(house)
    await answered(house, "Disconnected")
    assert await house.app.runtime.links.get(house.identity()) is None
