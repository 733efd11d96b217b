"""A way to answer fails: the answer comes another way, and an outage is a line in the log."""

from __future__ import annotations

import pytest

from tests.support.house import ADA, House
from tests.support.shown import Shown
from tests.support.steps import ask


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 400}, {"kind": "drop_before"}], ids=str)
async def test_an_answer_that_the_response_url_does_not_take_comes_as_a_direct_message(
    house: House, fault: dict[str, object]
) -> None:
    await house.link()
    house.slack.faults.add("response_url", **fault)  # type: ignore[arg-type]
    await house.slack.command(ADA, "/billing", "C0GENERAL")
    message = await house.told("$142.50")
    assert "Add funds" in Shown(message).buttons
    assert "$142.50" in await ask(house, "/billing")


async def test_when_no_way_to_answer_is_there_the_log_has_a_line_and_no_traceback(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.link()
    for way in ("response_url", "conversations.open"):
        house.slack.faults.add(way, "drop_before", times=2)
    await house.slack.command(ADA, "/billing", "C0GENERAL")
    logged = ""

    def is_logged() -> bool:
        nonlocal logged
        logged += capsys.readouterr().out
        return "request.slack_away" in logged

    await house.until(is_logged)
    assert "Traceback" not in logged
    assert "$142.50" in await ask(house, "/billing")
