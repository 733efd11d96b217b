"""The crash matrix of an alert: killed at each point between a low balance and what is told of it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.domain.request import OrganizationKey
from bot.domain.watch import Consent, Watch, WatchState
from bot.runtime import open_runtime
from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.storage.schema import migrate
from tests.support.house import ADA, TEAM, identity, make_settings, make_slack, store_link
from tests.support.process import AppProcess
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox.slack import SlackSandbox

SECONDS = 60
LOW, WORSE = "18.20", "4.90"
MATRIX = (
    "the claim of a watch",
    "GET /api/billing/state",
    "the episode is opened",
    "the episode is told",
    "the reading is judged",
    "the claim of a delivery",
    "conversations.open",
    "chat.postMessage",
    "the message is posted",
    "the episode is worse",
    "chat.update",
    "the message is edited, to be replied to",
    "chat.postMessage in the thread",
    "the message is replied to",
)
"""What happens from a reading below the line to the reply that it got worse."""

POINTS = [
    point
    for what in MATRIX
    for point in (f"before {what}", f"after {what}")
    if not point.startswith("before the claim")
]


SOMETIMES = {"before the message is edited", "after the message is edited"}
"""Seen where a message is brought up to date without anything to reply."""


@dataclass(kw_only=True)
class Stage:
    """The servers and the process; the portal's balance falls twice."""

    app: AppProcess
    portal: PortalSandbox
    slack: SlackSandbox
    ended: list[int] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        return self.slack.messages(self.slack.dm(ADA))

    async def until(self, words: str, *, is_reply: bool = False) -> None:
        """Let the app go on, started again whenever it has died, until a message says these words."""
        deadline = time.monotonic() + SECONDS
        while not any(words in each["text"] and _is_reply(each) is is_reply for each in self.messages()):
            assert time.monotonic() < deadline, f"stuck: {self.messages()}\n{self.app.log.read_text()}"
            if self.app.exit_code is not None:
                self.ended.append(self.app.exit_code)
                self.app.extra = PACE
                await self.app.start()
            await asyncio.sleep(0.02)

    def episodes(self) -> list[tuple[str, int, bool]]:
        with closing(sqlite3.connect(self.app.folder / "app.db")) as connection:
            return connection.execute("SELECT kind, level, closed_at IS NULL FROM episodes").fetchall()


PACE = {"WATCH_MIN_MINUTES": "0.02", "WATCH_MAX_MINUTES": "0.02"}


def _is_reply(message: dict[str, Any]) -> bool:
    return bool(message.get("thread_ts", message["ts"]) != message["ts"])


@asynccontextmanager
async def stage(folder: Path, **extra: str) -> AsyncIterator[Stage]:
    portal, slack = PortalSandbox(seed=1), make_slack()
    portal.organizations["acme"].balance = Decimal(LOW)
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        app = AppProcess(folder=folder, portal=portal, slack=slack, program="tests.crash.killable")
        app.extra = {**PACE, **extra}
        settings = make_settings(portal, slack, f"sqlite:///{folder / 'app.db'}", billing_bot_keys=app.key)
        async with open_runtime(settings, wake=lambda *_kinds: None) as runtime:
            await migrate(runtime.database, CIPHER)
            await store_link(runtime, portal)
            link = await runtime.links.get(identity(ADA))
            assert link is not None
            watch = Watch(
                id="w" * 16,
                key=OrganizationKey(
                    tenant=TEAM, base_url=link.base_url, organization_id=link.account.organization_id
                ),
                organization_name="Acme Research",
                team=TEAM,
                zone="UTC",
                state=WatchState.ON,
                created_at=runtime.clock.now(),
            )
            consent = Consent(
                watch_id=watch.id, person=identity(ADA), watches=True, tells=True, since=watch.created_at
            )
            async with runtime.database.transaction() as transaction:
                await runtime.watches.put(transaction, watch)
                await runtime.watches.consent(transaction, consent)
        with suppress(AssertionError):  # the reading is due at once: it may die before it is ready
            await app.start()
        try:
            yield Stage(app=app, portal=portal, slack=slack)
        finally:
            await app.kill()


async def play(on: Stage) -> None:
    """Let the balance be low until that is told, and then lower until its thread says so."""
    await on.until("$18.20 left")
    on.portal.organizations["acme"].balance = Decimal(WORSE)
    await on.until("$4.90 left", is_reply=True)
    await on.until("$4.90 left")


@pytest.mark.parametrize("point", POINTS)
async def test_killed_there_an_alert_is_told_once_and_says_how_it_got_worse(
    tmp_path: Path, point: str
) -> None:
    async with stage(tmp_path, KILL_AT=point) as on:
        await play(on)
        # At the last points all is told before the death is noticed.
        assert (on.ended or [await on.app.end()]) == [-signal.SIGKILL], "the point was not passed"
        assert on.episodes() == [("low", 2, 1)]
        told = [each for each in on.messages() if not _is_reply(each)]
        assert len(told) == 1
        assert len(on.messages()) - len(told) == 1
        assert on.slack.violations == []


async def test_every_point_of_an_alert_that_is_passed_is_in_the_matrix(tmp_path: Path) -> None:
    seen = tmp_path / "points"
    async with stage(tmp_path, POINTS=str(seen)) as on:
        await play(on)
        # The reply is there a moment before the point after it is passed.
        deadline = time.monotonic() + SECONDS
        while not set(POINTS) <= _passed(seen) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
    assert set(POINTS) <= _passed(seen)
    assert _passed(seen) - set(POINTS) <= SOMETIMES


def _passed(seen: Path) -> set[str]:
    return {line for line in seen.read_text().splitlines() if not line.endswith("auth.test")}
