from __future__ import annotations

from decimal import Decimal

from bot.domain.charge import ChargeState
from tests.support.house import ADA, House


async def test_a_purchase_from_the_first_command_to_the_settled_message(house: House) -> None:
    await house.connect()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Balance $142.50" in house.last_ephemeral()["text"])

    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.type(ADA, "amount_custom", "50")
    await house.slack.submit(ADA)
    await house.until(lambda: house.view_title() == "Confirm purchase" and (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.submit(ADA)

    assert house.view_title() == "Processing"
    message = await house.told("$50 added to your balance")
    assert len(house.dm()) == 1
    assert message["edited"]
    assert [charge.amount for charge in house.portal.charges] == [Decimal(50)]
    await house.until(lambda: house.view_title() == "Funds added")
    assert [charge.state for charge in await house.charges()] == [ChargeState.SETTLED]
