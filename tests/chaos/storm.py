"""What goes wrong: processes are killed, paused, restarted, both servers misbehave. All from one seed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.sandbox.portal import Fault

if TYPE_CHECKING:
    from random import Random

    from tests.support.cluster import Cluster
    from tests.support.process import AppProcess

PORTAL_FAULTS = {
    "no answer, nothing done": Fault(drop=True),
    "no answer, all done": Fault(drop=True, after_work=True),
    "500": Fault(status=500, body="{}"),
    "500, all done": Fault(status=500, body="{}", after_work=True),
    "not JSON": Fault(status=200, body="<html>", content_type="text/html"),
    "503 of a proxy": Fault(status=503, body="busy", content_type="text/plain"),
    "slow": Fault(seconds=3),
    "slower than we wait": Fault(seconds=12, after_work=True),
}
PORTAL_ROUTES = ("/api/billing/charge", "/api/billing/charge/", "/api/billing/state", "/api/oauth/account")
SLACK_METHODS = (
    "chat.postMessage",
    "chat.update",
    "conversations.open",
    "conversations.history",
    "views.update",
)
SLACK_FAULTS = ("drop_before", "drop_after", "ratelimited", "status")


@dataclass(kw_only=True)
class Storm:
    """Blows until told to stop, and counts what it did."""

    cluster: Cluster
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    _away: set[str] = field(default_factory=set)

    def open_doors(self) -> list[AppProcess]:
        """The replicas that a balancer with health checks would choose from."""
        return [each for each in self.cluster.replicas if each.name not in self._away]

    async def blow(self, stop: asyncio.Event) -> None:
        """Do harm until `stop` is set; then see to it that every replica runs again."""
        async with asyncio.TaskGroup() as group:
            for replica in self.cluster.replicas:
                group.create_task(self._harm(replica, stop))
            group.create_task(self._misbehave(stop))
        self.cluster.portal.clear_faults()
        self.cluster.slack.faults.clear()

    async def _harm(self, replica: AppProcess, stop: asyncio.Event) -> None:
        while not await _set_within(stop, self.random.uniform(2, 10)):
            harm = self.random.choice(("killed", "killed", "paused", "told to stop"))
            self._away.add(replica.name)
            self.done[f"replicas {harm}"] += 1
            await self._do(replica, harm, stop)
            self._away.discard(replica.name)

    async def _do(self, replica: AppProcess, harm: str, stop: asyncio.Event) -> None:
        if harm == "paused":
            replica.signal(signal.SIGSTOP)
            await _set_within(stop, self.random.choice((1, 5, 20)))
            replica.signal(signal.SIGCONT)
            return
        if harm == "killed":
            await replica.kill()
        else:
            assert await replica.terminate() == 0
        await _set_within(stop, self.random.uniform(0, 3))
        await replica.start()

    async def _misbehave(self, stop: asyncio.Event) -> None:
        while not await _set_within(stop, self.random.uniform(0.1, 0.6)):
            if self.random.random() < 0.5:
                name = self.random.choice(list(PORTAL_FAULTS))
                route = self.random.choice(PORTAL_ROUTES)
                self.cluster.portal.fail(route, PORTAL_FAULTS[name], times=self.random.randint(1, 3))
                self.done[f"portal: {name}"] += 1
            else:
                kind = self.random.choice(SLACK_FAULTS)
                method = self.random.choice(SLACK_METHODS)
                self.cluster.slack.faults.add(method, kind, times=self.random.randint(1, 2))  # type: ignore[arg-type]
                self.done[f"Slack: {kind}"] += 1


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
