"""An upgrade that is not rolled: all processes stop, the database is migrated, and the new ones start."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.sandbox.portal import Fault
from tests.support.cluster import Cluster, open_cluster
from tests.support.house import ADA, GRACE
from tests.support.person import Person
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.postgresql import Server

pytestmark = pytest.mark.postgresql

REPOSITORY = Path(__file__).parents[2]
BEFORE = "0c65d8cb45850c43a45e13ccbd387eaf80a76d29"
SETTLED = "$50 added to your balance"


@pytest.fixture
def release_before(tmp_path: Path) -> Path:
    """The code of the release before, as the repository's history has it."""
    git = shutil.which("git")
    there = git and subprocess.run(  # noqa: S603 - our own history
        [git, "cat-file", "-e", BEFORE], cwd=REPOSITORY, capture_output=True, check=False
    )
    if not git or not there or there.returncode:
        pytest.skip("this clone has no history: the release before is not there")
    archive = tmp_path / "before.tar"
    subprocess.run(  # noqa: S603
        [git, "archive", "--output", str(archive), BEFORE, "bot", "handlers", "blocks"],
        cwd=REPOSITORY,
        check=True,
    )
    root = tmp_path / "before"
    shutil.unpack_archive(archive, root, filter="data")
    return root


def migrate(cluster: Cluster, root: Path) -> None:
    replica = cluster.make()
    replica.root = root
    subprocess.run(
        [sys.executable, "-m", "bot", "migrate"],
        env={**os.environ, **replica.environment()},
        cwd=cluster.folder,
        check=True,
        capture_output=True,
    )
    cluster.replicas.remove(replica)


async def through(cluster: Cluster, url: str, person: Person) -> None:
    """Let the person go on through one door until the portal has their charge."""
    cluster.slack.app_url = f"{url}/slack/events"

    async def has_charge() -> bool:
        return any(each.person == person.account for each in cluster.portal.charges)

    await go_on(person, has_charge)


async def go_on(person: Person, done: Callable[[], Awaitable[bool]]) -> None:
    """Let the person go on until it is done; another process does it, so nothing tells of it here."""
    async with asyncio.timeout(20):
        while not await done():
            await person.step()
            await asyncio.sleep(0.05)


async def test_work_in_flight_lives_through_the_upgrade(
    postgresql: Server, release_before: Path, tmp_path: Path
) -> None:
    async with new_database(postgresql.url) as url, open_cluster(tmp_path, url) as cluster:
        migrate(cluster, release_before)
        old = cluster.make()
        old.root = release_before
        await old.start()
        cluster.portal_clock.speed = 0
        persons = [
            Person(slack=cluster.slack, portal=cluster.portal, user=user, account=name, amount="50")
            for user, name in ((ADA, "ada"), (GRACE, "grace"))
        ]
        await through(cluster, old.url, persons[0])
        # This one is confirmed, and no answer to it comes before the old process stops.
        cluster.portal.fail("/api/billing/charge", Fault(status=500), times=99, method="POST")

        async def both_are_confirmed() -> bool:
            return len(await cluster.ask("SELECT id FROM charges WHERE confirmed_at IS NOT NULL")) == 2

        await go_on(persons[1], both_are_confirmed)
        assert await old.terminate() == 0
        await asyncio.to_thread(migrate, cluster, REPOSITORY)
        cluster.portal.clear_faults()
        new = await cluster.start()
        cluster.slack.app_url = f"{new.url}/slack/events"
        cluster.portal_clock.speed = 10
        await cluster.until(lambda: all(person.told(SETTLED) for person in persons), 40)
        assert len(cluster.portal.charges) == 2
        assert [len(person.messages()) for person in persons] == [1, 1]


async def test_many_may_migrate_at_once(postgresql: Server, tmp_path: Path) -> None:
    async with new_database(postgresql.url) as url, open_cluster(tmp_path, url) as cluster:
        replica = cluster.make()
        said = await asyncio.gather(*(replica.run("migrate") for _ in range(4)))
        cluster.replicas.clear()
    assert said == ["The database has the newest schema.\n"] * 4
