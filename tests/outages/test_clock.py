"""The computer's clock is set under a running process, by libfaketime."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.support.house import ADA, PortalClock, make_slack
from tests.support.person import Person
from tests.support.process import AppProcess
from tests.support.waiting import until

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="Debian's package faketime is not installed")


async def test_a_purchase_is_told_in_time_though_the_clock_goes_forward_and_back(tmp_path: Path) -> None:
    time = tmp_path / "time"
    time.write_text("+0")
    portal_clock = PortalClock()
    portal_clock.speed = 0
    portal, slack = PortalSandbox(seed=1, now=portal_clock), make_slack()
    portal.sign_in.interval = 1
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        faked = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(time),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        app = AppProcess(folder=tmp_path, portal=portal, slack=slack, extra=faked, by_itself=True)
        await app.start()
        try:
            person = Person(slack=slack, portal=portal, user=ADA, account="ada", amount="50")
            while not portal.charges:
                await person.step()
                await asyncio.sleep(0.02)
            time.write_text("+3600")
            polls = len(portal.requests)
            await until(lambda: len(portal.requests) > polls + 5)
            assert "Adding" in str(person.messages()[-1])
            time.write_text("+0")
            portal_clock.speed = 10
            await until(lambda: person.told("added to your balance"))
        finally:
            await app.kill()
