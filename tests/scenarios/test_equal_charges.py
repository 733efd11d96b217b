"""A second purchase that equals one whose end is not known yet."""

from __future__ import annotations

from decimal import Decimal

from bot.domain.charge import ChargeState
from tests.support.house import ADA, GRACE, House
from tests.support.shown import Shown
from tests.support.steps import bought, buy_without_permission


async def test_a_purchase_equal_to_one_settled_without_a_message_is_a_duplicate(
    house: House,
) -> None:
    await house.link()
    house.slack.faults.add("chat.postMessage", "drop_before", times=1000)
    await house.buy("50")
    await house.until(lambda: [each.status for each in house.portal.charges] == ["settled"])
    await house.state(ChargeState.SETTLED)
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    assert house.modal().title == "Possible duplicate"
    assert "You have just completed *a $50 purchase*" in house.modal().text
    assert house.modal().submit == "Pay $50 again"
    house.slack.faults.clear()
    await house.told("$50 added to your balance")


async def test_a_purchase_equal_to_an_open_one_is_called_a_possible_duplicate(house: House) -> None:
    await bought(house, "10.06")
    await house.slack.command(ADA, "/billing buy 10.06")
    await house.confirm_shown()
    assert house.modal().title == "Possible duplicate"
    assert "You have *a $10.06 purchase* in progress already" in house.modal().text
    await house.link(GRACE, "grace")
    await house.slack.command(GRACE, "/billing buy 10.06")
    await house.confirm_shown(GRACE)
    assert house.modal(GRACE).title == "Confirm purchase"


async def test_a_third_equal_purchase_needs_one_confirmation_like_the_second(house: House) -> None:
    await house.link()
    await house.buy("10.06")
    for _ in ("second", "third"):
        await house.submitted()
        await house.slack.command(ADA, "/billing buy 10.06")
        await house.until(lambda: house.modal().submit == "Pay $10.06 again")
        await house.slack.submit(ADA)
    await house.until(lambda: len(house.portal.charges) == 3)


async def test_pay_warns_of_a_duplicate_when_an_equal_charge_has_started_meanwhile(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 10.06")
    first = await house.confirm_shown()
    await house.slack.command(ADA, "/billing buy 10.06")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("id") != first["id"])
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.submitted()
    answer = await house.submit_again(first)
    assert Shown(answer["view"]).title == "Possible duplicate"
    assert len(house.portal.charges) == 1
    second = answer["view"]
    await house.submit_again({**first, "private_metadata": second["private_metadata"]})
    await house.until(lambda: len(house.portal.charges) == 2)


async def test_resuming_beside_an_equal_purchase_warns_of_a_duplicate_and_then_pays_once_more(
    house: House,
) -> None:
    await buy_without_permission(house, "10.06")
    await house.link()
    await house.told("$10.06 can go on")
    await house.slack.command(ADA, "/billing buy 10.06")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.submitted()
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $10.06")
    await house.until(lambda: house.modal().submit == "Pay $10.06 again")
    assert len(house.portal.charges) == 1
    await house.slack.submit(ADA)
    await house.until(lambda: len(house.portal.charges) == 2)


async def test_a_purchase_that_waits_for_the_permission_uses_nothing_of_the_day(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(60))
    await buy_without_permission(house, "50")
    await house.link()
    await house.buy("60")
    await house.told("$60 added to your balance")
