"""Several replicas on one PostgreSQL, with both sandbox servers and a balancer that knows no health."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from bot.runtime import open_runtime
from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.storage.cipher import generate_key
from tests.support.asking import save_policy
from tests.support.house import DIRECTORY, PortalClock, identity, make_settings, make_slack, store_link
from tests.support.process import AppProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bot.sandbox.slack import SlackSandbox
    from bot.sandbox.slack.directory import Person


@dataclass(kw_only=True)
class Cluster:
    """The servers and the replicas, which come and go."""

    folder: Path
    portal: PortalSandbox
    portal_clock: PortalClock
    slack: SlackSandbox
    database_url: str
    key: str = field(default_factory=generate_key)
    replicas: list[AppProcess] = field(default_factory=list)

    async def start(self, *arguments: str, program: str = "bot", **extra: str) -> AppProcess:
        """Start one more replica: `serve` unless told otherwise."""
        replica = self.make(*arguments, program=program, **extra)
        await replica.start()
        return replica

    def make(self, *arguments: str, program: str = "bot", **extra: str) -> AppProcess:
        replica = AppProcess(
            folder=self.folder,
            portal=self.portal,
            slack=self.slack,
            key=self.key,
            program=program,
            name=f"replica{len(self.replicas)}",
            extra={"DATABASE_URL": self.database_url, **extra},
        )
        if arguments:
            replica.arguments = arguments
            if arguments == ("worker",):
                replica.arguments = ("worker", "--port", str(replica.port))
        self.replicas.append(replica)
        return replica

    async def link(self, user: str, person: str = "ada", **options: Any) -> None:
        """Connect somebody without the clicks."""
        settings = make_settings(self.portal, self.slack, self.database_url, billing_bot_keys=self.key)
        async with open_runtime(settings, wake=lambda *_kinds: None) as runtime:
            await store_link(runtime, self.portal, user, person, **options)

    async def two_people(self, user: str, amount: int) -> None:
        """Have two people decide from this amount on, in the organization of somebody who may set that."""
        settings = make_settings(self.portal, self.slack, self.database_url, billing_bot_keys=self.key)
        async with open_runtime(settings, wake=lambda *_kinds: None) as runtime:
            await save_policy(runtime, identity(user), two_people_from=Decimal(amount))

    async def ask(self, query: str) -> list[Any]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    def polls(self) -> int:
        return sum(each.path.startswith("/api/billing/charge/") for each in self.portal.requests)


@asynccontextmanager
async def open_cluster(
    folder: Path, database_url: str, *, seed: int = 1, people: tuple[Person, ...] = ()
) -> AsyncIterator[Cluster]:
    """Run both servers; on leaving, the replicas are killed."""
    clock = PortalClock()
    portal = PortalSandbox(seed=seed, now=clock)
    portal.sign_in.interval = 1
    slack = make_slack(replace(DIRECTORY, people=(*DIRECTORY.people, *people)))
    async with AsyncExitStack() as stack:
        portal.public_url = await stack.enter_async_context(serve(portal.app))
        slack.public_url = await stack.enter_async_context(serve(slack.app))
        cluster = Cluster(
            folder=folder, portal=portal, portal_clock=clock, slack=slack, database_url=database_url
        )
        try:
            yield cluster
        finally:
            for replica in cluster.replicas:
                await replica.kill()
