"""A process that sleeps while somebody submits a form: Slack says that it failed, and so it did."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from bot.sandbox.slack.delivery import TIMEOUT
from tests.support.house import ADA, LINUS

if TYPE_CHECKING:
    from tests.support.cluster import Cluster
    from tests.support.process import AppProcess

pytestmark = pytest.mark.postgresql


async def submitted_to_one_that_sleeps(cluster: Cluster, user: str, typed: str, button: str) -> AppProcess:
    """Open a form, let its process sleep, submit, and go on at another process; return the sleeping one."""
    sleeping = await cluster.start("serve", "--no-worker")
    awake = await cluster.start()
    await opened(cluster, sleeping, user, typed, button)
    sleeping.signal(signal.SIGSTOP)
    delivery = await cluster.slack.submit(user)
    assert delivery.failure == TIMEOUT
    await cluster.slack.close(user, everything=True)
    await opened(cluster, awake, user, typed, button)
    await cluster.slack.submit(user)
    return sleeping


async def opened(cluster: Cluster, at: AppProcess, user: str, typed: str, button: str) -> None:
    cluster.slack.app_url = f"{at.url}/slack/events"
    await cluster.slack.command(user, typed)
    await cluster.until(lambda: button in str((cluster.slack.view(user) or {}).get("submit")))


async def woken(sleeping: AppProcess) -> None:
    """Let it go on, until it has seen what had come in its sleep."""
    sleeping.signal(signal.SIGCONT)
    await asyncio.sleep(2)  # longer than it needs to file, or to confirm and send


async def stored(cluster: Cluster, query: str) -> Any:
    return (await cluster.ask(query))[0][0]


async def test_a_request_that_slack_called_failed_is_not_filed_later(cluster: Cluster) -> None:
    for user, person in ((ADA, "ada"), (LINUS, "linus")):
        await cluster.link(user, person)
    sleeping = await submitted_to_one_that_sleeps(cluster, LINUS, "/billing request 50 x", "Ask for $50")
    await cluster.until(lambda: "You asked" in str(cluster.slack.messages(cluster.slack.dm(LINUS))))
    await cluster.slack.click_text(LINUS, "Withdraw", in_="message")
    await cluster.until(lambda: "Ask again" in str(cluster.slack.messages(cluster.slack.dm(LINUS))))
    await woken(sleeping)
    assert await stored(cluster, "SELECT count(*) FROM requests") == 1


async def test_a_request_is_not_filed_by_a_process_that_slept_in_the_middle_of_it(cluster: Cluster) -> None:
    for user, person in ((ADA, "ada"), (LINUS, "linus")):
        await cluster.link(user, person)
    sleeping = await cluster.start(
        "serve", "--no-worker", program="tests.crash.killable", PAUSE_AT="before the request is filed"
    )
    await opened(cluster, sleeping, LINUS, "/billing request 50 x", "Ask for $50")
    delivery = await cluster.slack.submit(LINUS)
    assert (delivery.failure, sleeping.stopped) == (TIMEOUT, True)
    await woken(sleeping)
    assert await stored(cluster, "SELECT count(*) FROM requests") == 0


async def test_a_charge_that_slack_called_failed_is_not_confirmed_later(cluster: Cluster) -> None:
    await cluster.link(ADA)
    sleeping = await submitted_to_one_that_sleeps(cluster, ADA, "/billing buy 50", "Pay $50 now")
    await cluster.until(lambda: "added to your" in str(cluster.slack.messages(cluster.slack.dm(ADA))), 60)
    await woken(sleeping)
    assert len(cluster.portal.charges) == 1
