"""A request that Slack has signed works once, also within the five minutes of its signature."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from bot.domain.audit import Action, SignedRequest, signed_request
from bot.domain.errors import ReplayedError
from tests.support.house import GRACE, House
from tests.support.steps import answered


async def test_a_command_that_is_sent_again_within_five_minutes_changes_nothing(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    lock = await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    body, stamp = lock.raw_body.replace("text=lock", "text=unlock"), str(int(time.time()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": house.slack.sign(body, stamp),
    }
    await house.slack.send_raw(body, headers)
    await house.until_async(lambda: is_locked(house, locked=False))
    await house.slack.command(GRACE, "/billing lock Audit week")
    await house.until_async(lambda: is_locked(house, locked=True))
    await house.restart()
    again = await house.slack.send_raw(body, headers)
    assert (again.status, again.response) == (200, "")
    await house.app.runtime.open_requests.finish(5)
    assert await is_locked(house, locked=True)


async def is_locked(house: House, *, locked: bool) -> bool:
    return (await house.app.runtime.permission.stopped(house.identity()) is not None) is locked


async def test_a_change_that_is_undone_stores_no_signature(house: House) -> None:
    database = house.app.runtime.database
    request = SignedRequest("v0=" + "1" * 64)
    token = signed_request.set(request)
    facts: dict[str, Any] = {"actor": "a", "subject": "s", "result": "r"}
    try:
        with suppress(RuntimeError):
            async with database.transaction() as transaction:
                await transaction.record(Action.LOCK, **facts)
                raise RuntimeError
        for _ in range(2):
            async with database.transaction() as transaction:
                await transaction.record(Action.LOCK, **facts)
                await transaction.record(Action.LOCK, **facts)
        signed_request.set(SignedRequest(request.signature))
        with pytest.raises(ReplayedError):
            await house.app.runtime.audit.record(Action.LOCK, **facts)
    finally:
        signed_request.reset(token)
