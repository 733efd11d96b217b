"""Slack or the portal away: what the app says of it, and how gently it asks again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.sandbox.portal import Fault
from tests.support.house import ADA

if TYPE_CHECKING:
    from tests.support.house import House


async def test_the_app_starts_while_slack_is_away_and_is_ready_when_slack_returns(house: House) -> None:
    await house.link()
    await house.stop()
    house.slack.faults.add("auth.test", "drop_before", times=1000)
    await house.start()
    status, body = await house.readyz()
    assert status == 503
    assert "slack: has not said yet which workspace this is" in body["problems"]
    house.slack.faults.clear()
    await house.until_async(lambda: ready(house))
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])


async def test_a_proxys_page_counts_as_an_outage_of_slack(house: House) -> None:
    await house.stop()
    house.slack.faults.add("auth.test", "status", status=503, times=2)
    await house.start()
    await house.until_async(lambda: ready(house))


async def test_a_command_before_slack_has_answered_is_asked_to_come_back(house: House) -> None:
    await house.stop()
    house.slack.faults.add("auth.test", "drop_before", times=1000)
    await house.start()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "just starting" in house.last_ephemeral()["text"])


async def test_a_charge_in_flight_goes_on_while_slack_is_away_at_the_start(house: House) -> None:
    await house.link()
    house.portal_clock.speed = 1
    await house.buy("50")
    await house.submitted()
    await house.stop()
    house.slack.faults.add("*", "drop_before", times=1000)
    await house.start()
    house.portal_clock.speed = 100
    await house.until(lambda: [each.status for each in house.portal.charges] == ["settled"])
    house.slack.faults.clear()
    await house.told("$50 added to your balance", seconds=15)
    assert len(house.dm()) == 1


async def ready(house: House) -> bool:
    return (await house.readyz())[0] == 200


async def test_a_portal_that_is_away_is_named_and_does_not_make_us_unready(house: House) -> None:
    await house.link()
    await house.until_async(lambda: ready(house))
    house.portal.fail("/api/", Fault(status=502, body="bad gateway"), times=1000)
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "did not answer" in house.last_ephemeral()["text"])
    status, body = await house.readyz()
    assert (status, body["problems"]) == (200, [])
    assert body["degraded"][0].startswith("portal: no usable answer since ")
    house.portal.clear_faults()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])
    assert (await house.readyz())[1]["degraded"] == []


async def test_the_app_asks_less_often_during_an_outage_of_the_portal(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    await house.buy("10.06")
    await house.submitted()
    # A dropped question would be sent twice, and count twice.
    house.portal.fail("/api/billing/charge/", Fault(status=502), times=1000)
    before = house.polls()
    await asyncio.sleep(2)  # how often it asks in a while is the subject
    # Every 0.05 s while it answers; 40 times in these two seconds.
    assert house.polls() - before < 15
