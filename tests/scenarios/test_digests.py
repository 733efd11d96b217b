"""The weekly digest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.asking import connected
from tests.support.house import ADA, LINUS
from tests.support.shown import Shown
from tests.support.steps import shown_in_modal
from tests.support.watching import balance, read, tells, the_watch, watches

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.house import House


SUNDAY = 6


async def digests_of(house: House, user: str) -> list[dict[str, Any]]:
    return [
        each
        for each in house.dm(user)
        if (each.get("metadata") or {}).get("event_type") == "billing_digest"
    ]


async def a_week_with_a_digest(house: House, clock: Any) -> datetime:
    """Ada switches the digest on, and both she and Linus are told; return when it is due.

    It begins on a Sunday: the portal's time runs ten times as fast, and there a connection lasts 30 days.
    """
    now = house.app.runtime.clock.now()
    until_sunday = timedelta(days=(SUNDAY - now.weekday()) % 7 or 7)
    clock.move_to((now + until_sunday).replace(hour=12, minute=0))
    await connected(house)
    await watches(house)
    await tells(house, LINUS)
    await house.slack.command(ADA, "/billing alerts")
    await house.until(lambda: house.modal(ADA).submit == "Save")
    await house.slack.select(ADA, "alerts_digest", ["digest"])
    await house.slack.submit(ADA)
    await shown_in_modal(house, "Saved.", ADA)
    await read(house)
    await balance(house, "130", clock, minutes=60)
    due = (await the_watch(house)).digest_at
    assert due is not None
    return due


async def test_on_monday_morning_whoever_is_told_reads_how_the_week_was(house: House, clock: Any) -> None:
    due = await a_week_with_a_digest(house, clock)
    clock.move_to(due + timedelta(seconds=30))
    await read(house)
    await house.until_async(lambda: _has_digests(house, 1))
    assert "last week* · $130 left" in Shown((await digests_of(house, ADA))[0]).text
    assert "Monthly limit" in Shown((await digests_of(house, ADA))[0]).text
    assert "Monthly limit" not in Shown((await digests_of(house, LINUS))[0]).text
    await read(house, clock)
    assert len(await digests_of(house, ADA)) == 1
    assert (await the_watch(house)).digest_at == due + timedelta(days=7)


async def test_a_digest_that_is_a_day_late_is_not_sent(house: House, clock: Any) -> None:
    due = await a_week_with_a_digest(house, clock)
    clock.move_to(due + timedelta(hours=25))
    await read(house)
    assert (await the_watch(house)).digest_at == due + timedelta(days=7)
    assert await digests_of(house, ADA) == []


async def _has_digests(house: House, count: int) -> bool:
    return [len(await digests_of(house, user)) for user in (ADA, LINUS)] == [count, count]
