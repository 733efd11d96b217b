"""What people type has whatever signs Slack and the clipboard put in."""

from __future__ import annotations

import pytest

from tests.support.house import ADA, House
from tests.support.steps import ask, modal

SPACES = ("\u00a0", "\u2003", "\u3000", " \u00a0 ", "\t", "\u2028")


@pytest.mark.parametrize("space", SPACES, ids=ascii)
async def test_any_white_space_parts_a_command_from_what_follows(house: House, space: str) -> None:
    await house.restart(lock_users=(ADA,))
    answer = await ask(house, f"/billing lock{space}card{space}stolen")
    assert "Spending is paused" in answer
    assert "card stolen" in answer


@pytest.mark.parametrize(
    "typed", ["\u200bbuy 50", "buy\u00a050", "buy \u206650\u2069", "BUY\ufeff 50"], ids=ascii
)
async def test_signs_that_nobody_sees_change_no_command(house: House, typed: str) -> None:
    await house.link()
    await modal(house, f"/billing {typed}", "Pay $50 now")


async def test_signs_that_nobody_sees_change_no_amount_in_a_modal(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy")
    await house.until(lambda: house.modal().submit)
    await house.slack.type(ADA, "amount_custom", "\u2066\u00a050.50\u200b")
    await house.slack.submit(ADA)
    await house.until(lambda: house.modal().submit == "Pay $50.50 now")
