"""Alerts and digests in a private channel: what everybody in it may know, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.asking import connected
from tests.support.house import ADA, GRACE
from tests.support.shown import Shown
from tests.support.steps import shown_in_modal
from tests.support.watching import alerts, balance, read, reload_on, the_watch, watches

if TYPE_CHECKING:
    from tests.support.house import House

SPEND = "C0SPEND"


@pytest.fixture
async def channel(house: House) -> House:
    """Ada's connection watches, and what all may know goes to a private channel."""
    await connected(house)
    await watches(house)
    await house.slack.close(ADA, everything=True)
    await chosen(house)
    await shown_in_modal(house, "Saved.", ADA)
    await read(house)  # as Save has it read, which is on its way
    await house.until(lambda: house.app.engine.in_flight == 0)
    return house


async def chosen(house: House) -> None:
    """Choose the channel in the form, and save it."""
    await house.slack.command(ADA, "/billing alerts")
    await house.until(lambda: house.modal(ADA).submit == "Save")
    await house.slack.select(ADA, "alerts_where", [SPEND])
    await house.slack.submit(ADA)


def change(house: House, **flags: Any) -> None:
    """Change what the channel is."""
    now = house.slack.workspace.channel(SPEND)
    assert now is not None
    house.slack.workspace.replace_channel(replace(now, **flags))


def posted(house: House) -> Shown:
    """The newest message in the channel."""
    found = [each for each in house.slack.messages(SPEND) if "metadata" in each]
    return Shown(found[-1] if found else {})


async def test_a_low_balance_is_told_in_the_channel_alone_and_mentions_nobody(channel: House) -> None:
    await balance(channel, "18.20")
    await channel.until(lambda: "$18.20 left* at Acme Research" in posted(channel).text)
    assert "<@" not in posted(channel).text
    assert "watched with Ada Lovelace's connection" in posted(channel).text
    assert "Auto-reload" not in posted(channel).text
    assert alerts(channel) == []
    await channel.slack.click_text(GRACE, "Add funds", in_=posted(channel).content["ts"])
    await channel.until(lambda: channel.modal(GRACE).submit == "Continue")


async def test_what_only_some_may_know_is_told_directly(channel: House, clock: Any) -> None:
    setting = reload_on(channel)
    await read(channel, clock)
    setting.enabled = False
    await read(channel, clock)
    await channel.until(lambda: "was switched off" in str(alerts(channel)))
    assert "switched off" not in str(channel.slack.messages(SPEND))


async def test_a_channel_that_is_not_private_cannot_be_chosen_and_the_form_keeps_it(house: House) -> None:
    await connected(house)
    change(house, private=False)
    await chosen(house)
    await shown_in_modal(house, "No alert goes to that channel: it is public", ADA)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "No alert goes to that channel", ADA)
    assert "alerts_where" in str(house.slack.view(ADA))


async def test_a_channel_that_has_become_public_gets_no_alert_and_people_do(
    channel: House, clock: Any
) -> None:
    change(channel, private=False)
    await balance(channel, "18.20", clock)
    await channel.until(lambda: "$18.20 left" in str(alerts(channel)))
    assert "18.20" not in str(channel.slack.messages(SPEND))


async def test_the_end_of_an_alert_is_told_where_the_alert_was(channel: House, clock: Any) -> None:
    await balance(channel, "18.20", clock)
    await channel.until(lambda: "$18.20 left" in posted(channel).text)
    for _ in range(2):
        await balance(channel, "90", clock)
    await channel.until(lambda: "Back at $90" in str(channel.slack.messages(SPEND)))
    assert (await the_watch(channel)).post_to == SPEND
