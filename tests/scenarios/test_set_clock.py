"""The computer's clock is set while a purchase is under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from freezegun import freeze_time

from bot.background import follow_clock
from bot.domain.charge import ChargeState
from bot.system_clock import SystemClock
from tests.support.house import House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOUR = timedelta(hours=1)
SET = [HOUR, -HOUR]


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The app with its own clock, which freezegun does not move: only the computer's is set."""
    async with open_house(tmp_path, clock=SystemClock()) as made:
        made.portal_clock.speed = 0
        await made.link(minutes=60 * 24)
        yield made


@pytest.mark.parametrize("set_by", SET)
async def test_a_pending_charge_is_asked_about_as_before_and_not_called_late(
    house: House, set_by: timedelta
) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.buy("50")
        await house.submitted()
        frozen.tick(set_by)
        polls = house.polls()
        await house.until(lambda: house.polls() >= polls + 3)
        assert "Adding" in house.dm()[-1]["text"]
        assert (await house.charges())[0].state is ChargeState.SUBMITTED


async def test_a_charge_is_told_in_time_after_the_clock_went_forward_and_back(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.buy("50")
        await house.submitted()
        frozen.tick(HOUR)
        polls = house.polls()
        await house.until(lambda: house.polls() > polls)
        frozen.tick(-HOUR)
        house.portal_clock.speed = 10
        frozen.tick(5)
        await house.told("$50 added to your balance")


async def test_a_late_charge_is_asked_about_when_it_would_have_been(tmp_path: Path) -> None:
    async with open_house(tmp_path, clock=SystemClock(), poll_cap_seconds=0.5) as house:
        house.portal_clock.speed = 0
        await house.link(minutes=60 * 24)
        with freeze_time(real_asyncio=True) as frozen:
            await house.buy("50")
            await house.told("a timeout, not a failure")
            due = await _due_in(house)
            frozen.tick(-HOUR)
            assert abs(await _due_in(house) - due) < timedelta(seconds=5)


async def _due_in(house: House) -> timedelta:
    due_at = await house.app.runtime.charges.leases.next_due()
    assert due_at is not None
    return due_at - house.clock.now()


async def test_a_token_ends_by_the_computers_clock(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.link(minutes=15)
        frozen.tick(HOUR)
        await house.slack.command("U0ADA", "/billing")
        await house.until(lambda: "to use" in house.last_ephemeral()["text"])
    assert any(each.path == "/api/oauth/token" for each in house.portal.requests)


async def test_the_app_takes_the_computers_time_again_once_nothing_is_due(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.buy("50")
        await house.submitted()
        frozen.tick(HOUR)
        await follow_clock(house.app.runtime)
        assert datetime.now(UTC) - house.clock.now() > HOUR / 2
        house.portal_clock.speed = 10
        frozen.tick(5)
        await house.told("$50 added to your balance")
        await house.until_async(lambda: _takes_the_computers_time(house))


async def _takes_the_computers_time(house: House) -> bool:
    await follow_clock(house.app.runtime)
    return abs(datetime.now(UTC) - house.clock.now()) < timedelta(seconds=5)
