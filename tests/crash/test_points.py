"""The crash matrix: killed at each point of a purchase's life, started again, looked at from outside."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.runtime import open_runtime
from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.storage.overviews import ShownOverview
from bot.storage.schema import migrate
from tests.support.asking import save_policy
from tests.support.house import (
    ADA,
    GRACE,
    LINUS,
    TEAM,
    PortalClock,
    identity,
    make_settings,
    make_slack,
    store_link,
)
from tests.support.person import Approver, Asker, Person, cards
from tests.support.process import AppProcess
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox.slack import SlackSandbox

SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a purchase begins, and what it comes to."""

    linked: bool = True
    billing: bool = True
    minutes: float = 15
    amount: str = "50"
    told: str = "$50 added to your balance"
    state: str = "settled"
    slack_away: bool = False
    overview: bool = False
    closes: bool = False
    """Whether the person closes the modal as soon as they have paid."""
    asked: bool = False
    """Whether Linus asks for the amount, and Ada pays that."""
    two: bool = False
    """Whether Grace agrees to that first."""
    second: bool = False
    """Whether Grace is connected to the account already, and lets Ada in."""


WAYS = {
    "linked": Way(),
    "not linked": Way(linked=False),
    "token to refresh": Way(minutes=1),
    "a second person": Way(linked=False, second=True),
    "permission missing": Way(billing=False),
    "from the overview": Way(overview=True),
    "a request": Way(asked=True),
    "two people": Way(asked=True, two=True),
    "declined": Way(amount="10.01", told="was declined", state="failed"),
    "declined after the modal was closed": Way(
        amount="10.01", told="was declined", state="failed", closes=True
    ),
    "Slack away at first": Way(amount="10.01", told="was declined", state="failed", slack_away=True),
}


MATRIX = {
    "linked": (
        "views.open",
        "GET /api/billing/state",
        "the proposal is stored",
        "views.update",
        "the confirmation is stored",
        "the claim of a charge",
        "the claim of a delivery",
        "POST /api/billing/charge",
        "the charge is submitted",
        "conversations.open",
        "chat.postMessage",
        "the message is posted",
        "GET /api/billing/charge/{id}",
        "the charge is settled",
        "chat.update",
        "GET /api/oauth/account",
        "GET /api/billing/subscription",
        "views.publish",
        "the message is edited, done with its modal",
    ),
    "not linked": (
        "POST /api/oauth/device/code",
        "the grant is stored",
        "users.info",
        "the grant is due",
        "the claim of a device_grant",
        "POST /api/oauth/token",
        "the grant is granted",
        "GET /api/oauth/account",
        "the grant is linked",
        "the outcome is handed over",
        "the message is edited",
    ),
    "token to refresh": (
        "POST /api/oauth/token",
        "the rotated tokens are stored",
        "GET /api/oauth/account",
        "the rotated tokens are verified",
    ),
    "a second person": ("a second person is let in",),
    "permission missing": (
        "the charge is needs_scope",
        "the release of a charge",
        "the message is edited",
        "the message is edited, to be replied to",
        "the resumption is stored",
    ),
    "from the overview": ("the answer to a response_url",),
    "a request": (
        "users.info",
        "the request is filed",
        "the claim of a delivery",
        "conversations.open",
        "chat.postMessage",
        "the message is posted",
        "the proposal is stored",
        "the confirmation is stored",
        "the charge is settled",
        "chat.update",
        "the message is edited",
        "chat.postMessage in the thread",
        "the message is replied to",
    ),
    "two people": (
        "the request is filed",
        "the first vote is stored",
        "chat.update",
        "the message is edited",
        "the proposal is stored",
        "the confirmation is stored",
        "GET /api/billing/state",
        "the charge's facts",
        "POST /api/billing/charge",
        "the charge is submitted",
        "the charge is settled",
        "the message is replied to",
    ),
    "declined": (
        "the charge is failed",
        "the message is edited, shown in its modal, done with its modal",
    ),
    "declined after the modal was closed": (
        "the message is edited, to be replied to, done with its modal",
        "chat.postMessage in the thread",
        "the message is replied to",
    ),
    "Slack away at first": (
        "the release of a delivery",
        "conversations.history",
    ),
}
"""What happens on each way, in the order of the story; a process is killed before it and after it."""

SOMETIMES = {
    f"{when} {what}"
    for when in ("before", "after")
    for what in (
        "the release of a device_grant",
        "the message is as it was",
        "the message is done with its modal",
        "the message is shown in its modal, done with its modal",
        "the message is to be replied to, done with its modal",
    )
}
"""Seen where something else was slow: a grant that was superseded, or had ended, while it was looked at is
given back; something has changed that a message does not show; a modal is gone already, or a charge has
ended before its message was posted."""


def points(way: str) -> list[str]:
    """Name the points of a way; a claim that finds nothing is none, so it has a point after it only."""
    made = [f"{when} {what}" for what in MATRIX[way] for when in ("before", "after")]
    return [point for point in made if not point.startswith("before the claim")]


@dataclass(kw_only=True)
class Stage:
    """The servers, the process and the person."""

    app: AppProcess
    portal: PortalSandbox
    slack: SlackSandbox
    person: Person
    asker: Asker | None = None
    first: Approver | None = None
    ended: list[int] = field(default_factory=list)

    def ledger(self) -> list[tuple[str, str, int]]:
        """The confirmed charges: state, key, and whether anything is still due for it or its message."""
        with closing(sqlite3.connect(self.app.folder / "app.db")) as connection:
            return connection.execute(
                """SELECT c.state, c.idempotency_key, c.due_at IS NOT NULL OR m.due_at IS NOT NULL
                OR c.lease_until IS NOT NULL OR m.lease_until IS NOT NULL
                FROM charges c LEFT JOIN deliveries m ON m.id = c.id WHERE c.confirmed_at IS NOT NULL"""
            ).fetchall()

    def cards_due(self) -> bool:
        """Whether any message waits to be brought up to date."""
        with closing(sqlite3.connect(self.app.folder / "app.db")) as connection:
            due = "SELECT 1 FROM deliveries WHERE due_at IS NOT NULL OR lease_until IS NOT NULL"
            return connection.execute(due).fetchone() is not None

    def is_over(self, told: str) -> bool:
        """Whether everybody was told the end, and nothing is due for it."""
        if self.asker is not None and (not self.asker.told("added for you") or self.cards_due()):
            return False
        return self.person.told(told) and not any(due for _, _, due in self.ledger())

    async def play(self, told: str) -> int:
        """Let the people go on until they are told the end; return how often the app had died."""
        deadline = time.monotonic() + SECONDS
        while not self.is_over(told):
            assert time.monotonic() < deadline, f"stuck: {self.person}\n{self.app.log.read_text()}"
            if self.app.exit_code is not None:
                self.ended.append(self.app.exit_code)
                self.app.extra.clear()
                await self.app.start()
            if self.asker is not None:
                await self.asker.step()
            if self.first is not None:
                await self.first.step()
            if not self.person.told(told):
                await self.person.step()
                await self.let_in()
            await asyncio.sleep(0.02)
        return len(self.ended)

    async def let_in(self) -> None:
        """Have Grace answer the question about Ada, as often as it is asked."""
        if any("Let them in" in str(each["blocks"]) for each in self.slack.messages(self.slack.dm(GRACE))):
            with contextlib.suppress(LookupError, OSError, asyncio.TimeoutError):
                await self.slack.click_text(GRACE, "Let them in")

    async def agrees(self, way: Way) -> None:
        """Compare the portal's book, Slack's messages and the ledger: they tell one story."""
        ((state, key, _),) = self.ledger()
        (charge,) = self.portal.charges
        assert state == way.state == charge.status
        assert {post.key for post in self.portal.charge_posts} == {key}
        (message,) = self.person.messages()
        assert way.told in message["text"]
        if self.asker is not None:
            for user, words in ((LINUS, "$50 added for you"), (ADA, "$50 added* for <@U0LINUS>")):
                (card,) = [each for each in cards(self.slack, user) if not _is_reply(each)]
                assert words in card["text"]
        assert self.slack.violations == []


def _is_reply(message: dict[str, Any]) -> bool:
    return bool(message.get("thread_ts", message["ts"]) != message["ts"])


@asynccontextmanager
async def stage(folder: Path, way: Way, **extra: str) -> AsyncIterator[Stage]:
    clock = PortalClock()
    clock.speed = 5  # so that the pending message is there before the end of the charge
    portal = PortalSandbox(seed=1, now=clock)
    slack = make_slack()
    portal.sign_in.interval = 1
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        app = AppProcess(folder=folder, portal=portal, slack=slack, program="tests.crash.killable")
        app.extra = extra
        settings = make_settings(portal, slack, f"sqlite:///{folder / 'app.db'}", billing_bot_keys=app.key)
        async with open_runtime(settings, wake=lambda *_kinds: None) as runtime:
            await migrate(runtime.database, CIPHER)
            # Who has opened App Home has it brought up to date after an outcome: more points.
            await runtime.app_home_viewers.opened(identity(ADA))
            if way.linked:
                await store_link(runtime, portal, billing=way.billing, minutes=way.minutes)
            if way.asked:
                await store_link(runtime, portal, LINUS, "linus")
            if way.second:
                await store_link(runtime, portal, GRACE)
            if way.two:
                await store_link(runtime, portal, GRACE, "grace")
                await save_policy(runtime, identity(ADA), two_people_from=Decimal(50))
            if way.overview:
                # It follows the purchase that was begun from it.
                place = slack._parts.installations.get(TEAM)
                assert place is not None
                url = slack._parts.interactions._context.response_urls.issue(ADA, slack.dm(ADA), place)
                link = await runtime.accounts.link(identity(ADA))
                shown = ShownOverview(response_url=url, account=link.account)
                await runtime.overviews.remember(identity(ADA), shown)
        if way.slack_away:
            slack.faults.add("conversations.open", "drop_before", times=1)
        await app.start()
        made: dict[str, Any] = {"slack": slack, "portal": portal, "amount": way.amount}
        person: Person = Person(user=ADA, account="ada", closes=way.closes, **made)
        if way.asked:
            person = Approver(user=ADA, account="ada", is_second=way.two, **made)
        first = Approver(user=GRACE, account="grace", is_first=True, **made) if way.two else None
        asker = Asker(user=LINUS, account="linus", **made) if way.asked else None
        try:
            yield Stage(app=app, portal=portal, slack=slack, person=person, asker=asker, first=first)
        finally:
            await app.kill()


@pytest.mark.parametrize(("way", "point"), [(way, point) for way in WAYS for point in points(way)])
async def test_killed_there_it_is_one_charge_one_message_and_its_true_end(
    tmp_path: Path, way: str, point: str
) -> None:
    async with stage(tmp_path, WAYS[way], KILL_AT=point) as on:
        await on.play(WAYS[way].told)
        # At the last point all is told before the death is noticed.
        assert (on.ended or [await on.app.end()]) == [-signal.SIGKILL], "the point was not passed"
        await on.agrees(WAYS[way])


@pytest.mark.parametrize(("way", "point"), [(way, point) for way in WAYS for point in points(way)])
async def test_told_to_stop_there_it_ends_with_0_and_then_it_is_the_same(
    tmp_path: Path, way: str, point: str
) -> None:
    async with stage(tmp_path, WAYS[way], TERM_AT=point) as on:
        await on.play(WAYS[way].told)
        # At the last points all may be told before the process has ended.
        assert (on.ended or [await on.app.end()]) == [0]
        await on.agrees(WAYS[way])


@pytest.mark.parametrize("way", WAYS)
async def test_every_point_that_is_passed_is_in_the_matrix(tmp_path: Path, way: str) -> None:
    seen = tmp_path / "points"
    async with stage(tmp_path, WAYS[way], POINTS=str(seen)) as on:
        assert await on.play(WAYS[way].told) == 0
        await on.agrees(WAYS[way])
        # The ledger shows the last change a moment before the point after it is passed.
        deadline = time.monotonic() + SECONDS
        while not set(points(way)) <= _passed(seen) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
    passed = _passed(seen)
    assert passed <= {point for each in WAYS for point in points(each)} | SOMETIMES
    assert set(points(way)) <= passed


def _passed(seen: Path) -> set[str]:
    return {line for line in seen.read_text().splitlines() if not line.endswith("auth.test")}
