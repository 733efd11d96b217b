"""Any number of processes on one PostgreSQL, killed, paused and askew: one refresh, charge and message."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog

from bot.app import Listener, open_app
from bot.background import follow_clock
from bot.system_clock import SystemClock
from tests.support.house import ADA, GRACE, LINUS, open_house
from tests.support.person import Person
from tests.support.postgresql import new_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cluster import Cluster
    from tests.support.postgresql import Server

pytestmark = pytest.mark.postgresql

SETTLED = "$50 added to your balance"


def ada(cluster: Cluster) -> Person:
    return Person(slack=cluster.slack, portal=cluster.portal, user=ADA, account="ada", amount="50")


async def confirmed(cluster: Cluster, person: Person) -> None:
    """Let the person go on until the portal has been asked about the charge."""
    async with asyncio.timeout(20):
        while cluster.polls() < 1:
            await person.step()
            await asyncio.sleep(0.05)


async def one_charge_that_settles(cluster: Cluster, person: Person, seconds: float = 40) -> None:
    await cluster.until(lambda: person.told(SETTLED), seconds)
    await asyncio.sleep(0.5)
    assert len(cluster.portal.charges) == 1
    assert len({post.key for post in cluster.portal.charge_posts}) == 1
    assert len(person.messages()) == 1


async def test_a_yes_at_a_listener_is_work_for_a_worker_at_once(cluster: Cluster) -> None:
    await cluster.start("serve", "--no-worker")
    await cluster.start("worker")
    await cluster.link(ADA)
    person = ada(cluster)
    async with asyncio.timeout(20):
        while not cluster.slack.view(ADA) or "Pay" not in str(cluster.slack.view(ADA)):
            await person.step()
            await asyncio.sleep(0.02)
    began = time.monotonic()
    await cluster.slack.submit(ADA)
    await cluster.until(lambda: cluster.portal.charge_posts)
    # The regular look comes every five seconds.
    assert time.monotonic() - began < 2.5
    await one_charge_that_settles(cluster, person)


async def test_a_grant_is_refreshed_once_whoever_asks(cluster: Cluster) -> None:
    replicas = [await cluster.start() for _ in range(3)]
    await cluster.link(ADA, minutes=1)
    for _ in range(4):
        for replica in replicas:
            cluster.slack.app_url = f"{replica.url}/slack/events"
            await cluster.slack.command(ADA, "/billing")
    await cluster.until(lambda: "$155.70 to use" in str(cluster.slack.ephemerals(ADA)[-1:]))
    await asyncio.sleep(1)
    refreshes = [each for each in cluster.portal.requests if each.path == "/api/oauth/token"]
    assert len(refreshes) == 1
    assert all("$155.70 to use" in each["text"] for each in cluster.slack.ephemerals(ADA))


async def test_what_a_killed_replica_held_goes_on_elsewhere_within_fifteen_seconds(
    cluster: Cluster,
) -> None:
    cluster.portal_clock.speed = 0
    first = await cluster.start()
    await cluster.link(ADA)
    person = ada(cluster)
    await confirmed(cluster, person)
    await cluster.start("worker")
    await first.kill()
    killed, polls = time.monotonic(), cluster.polls()
    await cluster.until(lambda: cluster.polls() > polls)
    assert time.monotonic() - killed < 15
    cluster.portal_clock.speed = 10
    await one_charge_that_settles(cluster, person)


@pytest.mark.parametrize(
    "point",
    [
        "before POST /api/billing/charge",
        "after POST /api/billing/charge",
        "before GET /api/billing/charge/{id}",
        "before the charge is settled",
        "before chat.postMessage",
        "after chat.postMessage",
        "before chat.update",
    ],
)
async def test_one_that_wakes_after_its_work_was_taken_over_does_no_harm(
    cluster: Cluster, point: str
) -> None:
    paused = await cluster.start(program="tests.crash.killable", PAUSE_AT=point)
    await cluster.link(ADA)
    person = ada(cluster)
    while not paused.stopped:
        await person.step()
        await asyncio.sleep(0.02)
    other = await cluster.start()
    cluster.slack.app_url = f"{other.url}/slack/events"
    await cluster.until(lambda: person.told(SETTLED), 60)
    paused.signal(signal.SIGCONT)
    await cluster.until(lambda: "lease_lost" in paused.log.read_text(), 30)
    await one_charge_that_settles(cluster, person)
    assert paused.exit_code is None


async def test_what_a_process_paused_within_a_statement_has_locked_is_freed(
    cluster: Cluster,
) -> None:
    await cluster.start("serve", "--no-worker")
    paused = await cluster.start(
        "worker", program="tests.crash.killable", PAUSE_AT="after the preparation of an audit entry"
    )
    await cluster.link(ADA)
    person = ada(cluster)
    while not paused.stopped:
        await person.step()
        await asyncio.sleep(0.02)
    await cluster.start("worker")
    await cluster.until(lambda: person.told(SETTLED), 60)
    paused.signal(signal.SIGCONT)
    await cluster.until(lambda: "engine.retry" in paused.log.read_text(), 30)
    await one_charge_that_settles(cluster, person)


async def test_a_late_edit_does_not_leave_an_old_end_on_the_screen(cluster: Cluster) -> None:
    cluster.portal_clock.speed = 0
    paused = await cluster.start(
        program="tests.crash.killable", PAUSE_AT="before chat.update", POLL_CAP_SECONDS="2"
    )
    await cluster.link(ADA)
    person = ada(cluster)
    while not paused.stopped:
        await person.step()
        await asyncio.sleep(0.02)
    cluster.portal_clock.speed = 10
    other = await cluster.start()
    cluster.slack.app_url = f"{other.url}/slack/events"
    async with asyncio.timeout(40):
        while not person.told(SETTLED):
            await person.step()
            await asyncio.sleep(0.1)
    paused.signal(signal.SIGCONT)
    await cluster.until(lambda: "lease_lost" in paused.log.read_text(), 30)
    await one_charge_that_settles(cluster, person)
    assert person.at_end


async def test_a_reply_that_two_have_posted_is_taken_back_by_the_late_one(cluster: Cluster) -> None:
    paused = await cluster.start(
        program="tests.crash.killable", PAUSE_AT="before chat.postMessage in the thread"
    )
    await cluster.link(ADA)
    person = Person(
        slack=cluster.slack, portal=cluster.portal, user=ADA, account="ada", amount="10.01", closes=True
    )
    async with asyncio.timeout(60):
        while not paused.stopped:
            await person.step()
            await asyncio.sleep(0.02)
    await cluster.start()
    await cluster.until(lambda: len(cluster.slack.messages(cluster.slack.dm(ADA))) == 2, 40)
    paused.signal(signal.SIGCONT)
    await cluster.until(lambda: "delivery.taken_back" in paused.log.read_text(), 40)
    await cluster.until(lambda: len(cluster.slack.messages(cluster.slack.dm(ADA))) == 2)


class Askew(SystemClock):
    """The clock of a machine that nobody has set."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        moment, at = self._started
        self._started = moment + timedelta(seconds=seconds), at


async def test_replicas_whose_clocks_differ_by_minutes_agree(
    postgresql: Server, postgresql_template: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(new_database(postgresql.url, postgresql_template))
        house = await stack.enter_async_context(
            open_house(tmp_path, database_url=url, clock=Askew(400), worker=False)
        )
        behind = await stack.enter_async_context(
            open_app(house.settings, listener=Listener.NONE, clock=Askew(-500))
        )
        for clock in (house.app.runtime.clock, behind.runtime.clock):
            assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
        with structlog.testing.capture_logs() as said:
            await follow_clock(behind.runtime)
        (warning,) = [each for each in said if each["event"] == "app.clock_corrected"]
        assert 499 < warning["ahead_seconds"] < 501
        await house.link()
        await house.buy("50")
        await house.told(SETTLED)
        (charge,) = await house.charges()
        assert charge.submitted_at
        assert charge.confirmed_at
        assert charge.submitted_at - charge.confirmed_at < timedelta(seconds=5)


async def test_many_at_once_through_many_doors(cluster: Cluster) -> None:
    replicas = [await cluster.start() for _ in range(2)]
    people = {ADA: "ada", GRACE: "grace", LINUS: "frida"}
    for user, account in people.items():
        await cluster.link(user, account)
    cluster.portal.charge_rate_limit = None
    persons = [
        Person(slack=cluster.slack, portal=cluster.portal, user=user, account=account, amount="50")
        for user, account in people.items()
    ]
    async with asyncio.timeout(40):
        while not all(person.told(SETTLED) for person in persons):
            for number, person in enumerate(persons):
                cluster.slack.app_url = f"{replicas[number % 2].url}/slack/events"
                if not person.told(SETTLED):
                    await person.step()
            await asyncio.sleep(0.05)
    assert len(cluster.portal.charges) == 3
    assert all(len(person.messages()) == 1 for person in persons)
