"""Cards of requests in a private channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.asking import ask, card, connected, filled_in, has_card, set_policy
from tests.support.house import ADA, GRACE, LINUS
from tests.support.shown import Shown
from tests.support.steps import modal, shown_in_modal

if TYPE_CHECKING:
    from tests.support.house import House

SPEND = "C0SPEND"


@pytest.fixture
async def channel(house: House) -> House:
    """Requests of Acme Research go to a private channel with Ada and Grace."""
    await house.link()  # alone: another channel is looser
    await set_policy(house, post_to=SPEND)
    await connected(house)
    return house


def posted(house: House) -> Shown:
    """The newest card in the channel."""
    found = [each for each in house.slack.messages(SPEND) if "metadata" in each]
    return Shown(found[-1] if found else {})


def change(house: House, **flags: Any) -> None:
    """Change what the channel is."""
    now = house.slack.workspace.channel(SPEND)
    assert now is not None
    house.slack.workspace.replace_channel(replace(now, **flags))


async def test_one_card_goes_to_the_channel_and_names_nobody_by_mention(channel: House) -> None:
    await ask(channel)
    await channel.until(lambda: "Linus asks for $50" in posted(channel).text)
    assert "<@" not in posted(channel).text
    assert not card(channel, ADA).text
    await channel.until(lambda: f"Asked: <#{SPEND}>" in card(channel, LINUS).text)
    await channel.slack.click_text(GRACE, "Review", in_=posted(channel).content["ts"])
    await shown_in_modal(channel, "Total", GRACE)
    await channel.slack.submit(GRACE)
    await channel.until(lambda: "$50 added* for Linus · paid by Grace Hopper" in posted(channel).text)
    await channel.until(lambda: "$50 added for you" in card(channel, LINUS).text)
    assert "4242" not in str(channel.slack.messages(SPEND))


async def test_the_form_names_the_channel(channel: House) -> None:
    shown = await modal(channel, "/billing request 50 evals", "Ask for $50", LINUS)
    assert f"Asked: <#{SPEND}>" in shown.text


async def test_being_in_the_channel_gives_no_right_to_decide(channel: House) -> None:
    now = channel.slack.workspace.channel(SPEND)
    assert now is not None
    change(channel, members=now.members | {"U0OMAR"})
    await channel.link("U0OMAR", "omar")
    await ask(channel)
    await channel.until(lambda: "asks for $50" in posted(channel).text)
    await channel.slack.click_text("U0OMAR", "Review", in_=posted(channel).content["ts"])
    await shown_in_modal(channel, "Only an owner, admin or finance admin", "U0OMAR")


@pytest.mark.parametrize(
    "flags",
    [{"private": False}, {"shared": True}, {"pending": True}, {"archived": True}, {"has_app": False}],
)
async def test_r29_a_channel_that_is_not_private_any_more_gets_no_new_card(
    channel: House, flags: dict[str, bool]
) -> None:
    change(channel, **flags)
    channel.app.runtime.people.channels._problems.clear()  # a minute later
    await ask(channel)
    await has_card(channel, ADA)
    await has_card(channel, GRACE)
    assert posted(channel).text == ""


async def test_r29_archived_between_filing_and_posting_people_get_it_and_admins_read_why_once_a_day(
    channel: House,
) -> None:
    forget = channel.app.runtime.people.channels._problems.clear
    for amount in ("50", "60"):
        change(channel, archived=False)
        forget()
        await filled_in(channel, amount)
        change(channel, archived=True)
        await channel.slack.submit(LINUS)
        await has_card(channel, GRACE, amount)
    told = f"No request goes to <#{SPEND}> now"
    await channel.until(lambda: any(told in each["text"] for each in channel.dm(ADA)))
    assert sum(told in each["text"] for each in channel.dm(ADA)) == 1


async def test_r29_what_a_channel_has_that_is_public_by_now_is_still_edited(channel: House) -> None:
    await ask(channel)
    await channel.until(lambda: "asks for $50" in posted(channel).text)
    change(channel, private=False)
    channel.app.runtime.people.channels._problems.clear()
    await channel.slack.click_text(GRACE, "Deny", in_=posted(channel).content["ts"])
    await shown_in_modal(channel, "Reason", GRACE)
    await channel.slack.type(GRACE, "reason", "no")
    await channel.slack.submit(GRACE)
    await channel.until(lambda: "Denied* by Grace Hopper" in posted(channel).text)


async def test_r29_archived_after_the_card_people_get_it_directly(channel: House) -> None:
    await ask(channel)
    await channel.until(lambda: "asks for $50" in posted(channel).text)
    change(channel, archived=True)
    await channel.slack.click_text(LINUS, "Edit", in_="message")
    await channel.until(lambda: channel.modal(LINUS).submit == "Save")
    await channel.slack.type(LINUS, "amount_custom", "80")
    await channel.slack.submit(LINUS)
    await has_card(channel, ADA, "80")


async def test_r30_a_second_copy_is_put_right_by_a_click_on_either(channel: House) -> None:
    # The requester's own message and the channel's; only the first of them can be searched for.
    channel.slack.faults.add("chat.postMessage", "drop_after", times=2)
    await ask(channel)

    def copies() -> list[dict[str, Any]]:
        return [each for each in channel.slack.messages(SPEND) if "metadata" in each]

    await channel.until(lambda: len(copies()) == 2, seconds=20)
    await channel.slack.click_text(LINUS, "Withdraw", in_="message")
    await channel.until(lambda: any("Withdrawn" in each["text"] for each in copies()))
    stale = next(each for each in copies() if "Withdrawn" not in each["text"])
    await channel.slack.click_text(GRACE, "Review", in_=stale["ts"])
    await channel.until(lambda: all("Withdrawn" in each["text"] for each in copies()))


async def test_a_public_channel_cannot_be_chosen(house: House) -> None:
    await connected(house)
    await house.slack.command(ADA, "/billing team")
    await house.until(lambda: house.modal(ADA).submit == "Save")
    await house.slack.select(ADA, "team_post_to", ["C0BILLING"])
    await house.slack.submit(ADA)
    await shown_in_modal(house, "amounts are shown in private channels only", ADA)


async def test_a_channel_that_is_public_by_now_gets_no_reply_and_no_second_card(channel: House) -> None:
    await ask(channel)
    await channel.until(lambda: "asks for $50" in posted(channel).text)
    change(channel, private=False)
    channel.app.runtime.people.channels._problems.clear()
    await channel.slack.click_text(LINUS, "Remind", in_="message")
    await channel.until(lambda: channel.app.engine.in_flight == 0)
    ts = posted(channel).content["ts"]
    assert channel.slack.thread(SPEND, ts) == []
    channel.slack.workspace.delete(SPEND, ts)
    await channel.slack.click_text(LINUS, "Edit", in_="message")
    await channel.until(lambda: channel.modal(LINUS).submit == "Save")
    await channel.slack.type(LINUS, "amount_custom", "80")
    await channel.slack.submit(LINUS)
    await has_card(channel, ADA, "80")
    assert posted(channel).text == ""
