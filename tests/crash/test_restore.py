"""A restore that was practiced: a copy from the middle of purchases, all killed, and started again."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.support.house import ADA, PortalClock, make_slack
from tests.support.person import Person
from tests.support.postgresql import new_database, programs
from tests.support.process import AppProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.sandbox.slack import SlackSandbox

SECONDS = 40


class Place:
    """The servers, the app as a process on its database, and Ada, who buys."""

    def __init__(
        self, folder: Path, portal: PortalSandbox, slack: SlackSandbox, clock: PortalClock, url: str | None
    ) -> None:
        """`url` is PostgreSQL's; without it the ledger is a file."""
        self.portal, self.slack, self.clock, self.url = portal, slack, clock, url
        self.app = AppProcess(folder=folder, portal=portal, slack=slack)
        if url is not None:
            self.app.extra["DATABASE_URL"] = url
        self.ledger, self.copy = folder / "app.db", folder / "copy.db"

    def ada(self, amount: str) -> Person:
        return Person(slack=self.slack, portal=self.portal, user=ADA, account="ada", amount=amount)

    async def buys(self, amount: str, words: str) -> None:
        """Let Ada buy, until her message says these words."""
        ada = self.ada(amount)
        async with asyncio.timeout(SECONDS):
            while not ada.told(words):
                await ada.step()
                await asyncio.sleep(0.05)

    async def told(self, amount: str, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while not self.ada(amount).told(words):
                await asyncio.sleep(0.05)

    async def backs_up(self) -> None:
        """Copy the ledger while the app runs, as docs/operations.md says."""
        if self.url is None:
            assert "bytes" in await self.app.run("backup", str(self.copy))
        else:
            await _call("pg_dump", "--format=custom", f"--file={self.copy}", self.url)

    async def is_restored(self) -> str:
        """Kill the app, put the copy in the ledger's place, mark it, and start."""
        await self.app.kill()
        if self.url is None:
            for name in ("app.db-wal", "app.db-shm"):
                (self.ledger.parent / name).unlink(missing_ok=True)
            shutil.copy(self.copy, self.ledger)
        else:
            await _call("pg_restore", "--clean", "--if-exists", f"--dbname={self.url}", str(self.copy))
        said = await self.app.run("restored")
        await self.app.start()
        return said


async def _call(program: str, *arguments: str) -> None:
    """Run a program of the PostgreSQL that is tested with."""
    process = await asyncio.create_subprocess_exec(str(programs() / program), *arguments)
    assert await process.wait() == 0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server, template = map(request.getfixturevalue, ["postgresql_server", "postgresql_template"])
            url = await stack.enter_async_context(new_database(server, template))
        yield await stack.enter_async_context(opened(tmp_path, url))


@asynccontextmanager
async def opened(folder: Path, url: str | None) -> AsyncIterator[Place]:
    clock = PortalClock()
    portal, slack = PortalSandbox(seed=1, now=clock), make_slack()
    portal.sign_in.interval = 1
    async with serve(portal.app) as portal_url, serve(slack.app) as slack_url:
        portal.public_url, slack.public_url = portal_url, slack_url
        made = Place(folder, portal, slack, clock, url)
        await made.app.start()
        try:
            yield made
        finally:
            await made.app.kill()


async def test_a_purchase_under_way_in_the_copy_is_followed_up_with_its_own_key(place: Place) -> None:
    place.clock.speed = 0  # what was sent stays under way
    await place.buys("50", "Adding")
    await place.backs_up()
    keys = {post.key for post in place.portal.charge_posts}
    await place.is_restored()
    place.clock.speed = 10
    await place.told("50", "$50 added to your balance")
    assert {post.key for post in place.portal.charge_posts} == keys
    assert len(place.portal.charges) == 1


async def test_a_purchase_after_the_copy_is_not_made_again(place: Place) -> None:
    place.clock.speed = 10
    await place.buys("50", "$50 added to your balance")
    await place.backs_up()
    await place.buys("25", "$25 added to your balance")
    assert "0 may have been sent" in await place.is_restored()
    await asyncio.sleep(3)  # longer than it needs to charge, if it did
    assert sorted(str(charge.amount) for charge in place.portal.charges) == ["25", "50"]


async def test_the_audit_log_of_a_copy_ends_before_what_was_noted_later(place: Place) -> None:
    await place.backs_up()
    await place.buys("50", "Adding")
    await asyncio.sleep(2)  # the log is sealed once a second
    last = json.loads((await place.app.run("audit", "export")).splitlines()[-1])
    head = f"{last['number']}:{last['digest']}"
    assert f"it has entry {last['number']} as it was noted" in await place.app.run(
        "check", "--audit-head", head
    )
    await place.is_restored()
    assert f"before {last['number']}" in await place.app.run("check", "--audit-head", head)
    assert "not NUMBER:DIGEST" in await place.app.run("check", "--audit-head", "7")


async def test_the_copy_is_its_owners_alone_and_never_replaces_a_file(place: Place) -> None:
    if place.url is not None:
        assert "pg_dump" in await place.app.run("backup", str(place.copy))
        assert not place.copy.exists()
        return
    said = await place.app.run("backup", str(place.copy))
    assert said.startswith(f"{place.copy}: ")
    assert stat.S_IMODE(place.copy.stat().st_mode) == 0o600
    before = place.copy.read_bytes()
    assert "exists; nothing was written" in await place.app.run("backup", str(place.copy))
    assert place.copy.read_bytes() == before
    assert "cannot be written" in await place.app.run("backup", str(place.copy.parent / "no" / "copy.db"))
    assert not list(place.copy.parent.glob("*.partial"))
