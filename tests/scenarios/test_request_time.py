"""What time does with a request: reminders in working hours, others who are told, people who are away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from freezegun import freeze_time

from tests.support.asking import ask, asked, card, connected, the_request
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.house import House

MONDAY = "2026-11-30 08:00:00"  # ten in Helsinki, where Linus is


async def later(house: House, tick: Callable[[timedelta], object], span: timedelta) -> None:
    """Let time pass, and have the engine look."""
    tick(span)
    house.app.engine.wake("request")


async def reminders(house: House, count: int) -> None:
    async def came() -> bool:
        return (await the_request(house)).reminders == count

    await house.until_async(came)


async def test_after_four_working_hours_and_then_each_morning_three_reminders_at_most(house: House) -> None:
    with freeze_time(MONDAY, real_asyncio=True) as frozen:
        await asked(house)
        await later(house, frozen.tick, timedelta(hours=3, minutes=59))
        assert house.replies(ADA) == []
        await later(house, frozen.tick, timedelta(minutes=2))
        await reminders(house, 1)
        await house.replied("nobody has decided yet", ADA)
        for count in (2, 3):
            await later(house, frozen.tick, timedelta(days=1))
            await reminders(house, count)
        await later(house, frozen.tick, timedelta(hours=10))
        await house.until(lambda: house.app.engine.in_flight == 0)
        assert (await the_request(house)).reminders == 3


async def test_nobody_is_reminded_at_night_or_on_a_week_end(house: House) -> None:
    with freeze_time("2026-11-27 15:00:00", real_asyncio=True) as frozen:  # Friday, five in Helsinki
        await asked(house)
        await later(house, frozen.tick, timedelta(days=2))
        await house.until(lambda: house.app.engine.in_flight == 0)
        assert house.replies(ADA) == []
        await later(house, frozen.tick, timedelta(hours=19))  # Monday, noon
        await reminders(house, 1)


async def test_after_a_day_those_are_told_who_were_away(house: House) -> None:
    with freeze_time(MONDAY, real_asyncio=True) as frozen:
        await connected(house)
        assert "You are away" in await typed(house, "/billing away 10d", GRACE)
        await ask(house)
        await house.told("asks for $50", ADA)
        assert "<@U0ADA> was told" in card(house, LINUS).text
        assert card(house, GRACE).text == ""
        await later(house, frozen.tick, timedelta(hours=25))
        await house.told("asks for $50", GRACE)
        await house.until(lambda: "<@U0ADA> and <@U0GRACE> were told" in card(house, LINUS).text)


async def test_r24_whoever_is_told_instead_is_never_the_requester_and_decides_by_their_own_right(
    house: House,
) -> None:
    await connected(house)
    said = await typed(house, "/billing away 3d <@U0LINUS|linus>", ADA)
    assert "<@U0LINUS> is told of requests instead, if they may pay themselves" in said
    await ask(house)
    await house.told("asks for $50", GRACE)
    assert "<@U0GRACE> was told" in card(house, LINUS).text
    assert "Review" not in card(house, LINUS).buttons


async def test_where_everybody_is_away_they_are_told_nonetheless(house: House) -> None:
    await connected(house)
    for user in (ADA, GRACE):
        await typed(house, "/billing away tomorrow", user)
    await ask(house)
    await house.told("asks for $50", ADA)


async def test_an_absence_is_shown_ended_and_explained(house: House) -> None:
    await connected(house)
    assert "You are not away" in await typed(house, "/billing away", ADA)
    assert "is no day within the next 60" in await typed(house, "/billing away 99d", ADA)
    await typed(house, "/billing away 3d", ADA)
    assert "You are away" in await typed(house, "/billing away", ADA)
    await house.slack.click_text(ADA, "I'm back", in_="ephemeral")
    await house.until(lambda: "Welcome back" in house.last_ephemeral(ADA)["text"])
    assert "You were not away" in await typed(house, "/billing away off", ADA)
