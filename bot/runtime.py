"""Everything the app is made of, built once and closed once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp

from bot.metrics import Metrics
from bot.pace import Pace
from bot.portal.hosts import HostRules
from bot.portal.oauth import OAuthClient
from bot.portal.transport import Transport
from bot.reach import Reach
from bot.services.accounts import Accounts
from bot.services.billing import Billing
from bot.services.charging import Charging, PollRules
from bot.services.lifecycle import Lifecycle
from bot.services.linking import Linking
from bot.services.outbox import Outbox
from bot.services.permission import Permission
from bot.services.purchases import Purchases
from bot.services.retention import Retention
from bot.services.workspaces import OneWorkspace, Workspaces
from bot.slack import SLACK_TIMEOUT_SECONDS, DirectMessages, SlackClient
from bot.storage.audit import AuditStore
from bot.storage.charges import ChargeStore
from bot.storage.cipher import Cipher
from bot.storage.database import Database
from bot.storage.device_grants import DeviceGrantStore
from bot.storage.homes import HomeStore
from bot.storage.installations import InstallationStore
from bot.storage.intents import IntentStore
from bot.storage.links import LinkStore
from bot.storage.locks import LockStore
from bot.storage.messages import MessageStore
from bot.storage.overviews import OverviewStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping

    from bot.engine import Leases
    from bot.settings import Settings

REFRESH_GRACE_SECONDS = 2


class SystemClock:
    """The computer's own clock, corrected by what the database's shows: all processes agree."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC) + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def correct(self, ahead: timedelta) -> None:
        """Go by a clock that is ahead of this one."""
        self.ahead += ahead


class OpenCalls:
    """The requests being answered. Bolt keeps no count of them, and a shutdown would lose them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count the running task as a request until the block ends."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered by a task")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Go on with a request beside its acknowledgement."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, grace_seconds: float) -> None:
        """Let the requests end by themselves for a while, then end them."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=grace_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """What handlers and jobs work with."""

    settings: Settings
    clock: SystemClock
    metrics: Metrics
    database: Database
    slack: SlackClient
    http: aiohttp.ClientSession
    accounts: Accounts
    billing: Billing
    linking: Linking
    purchases: Purchases
    charging: Charging
    permission: Permission
    intents: IntentStore
    homes: HomeStore
    overviews: OverviewStore
    retention: Retention
    outbox: Outbox
    direct_messages: DirectMessages
    charges: ChargeStore
    messages: MessageStore
    leases: Mapping[str, Leases]
    reaches: tuple[Reach, ...]
    workspaces: Workspaces
    one_workspace: OneWorkspace | None
    installations: InstallationStore
    lifecycle: Lifecycle
    audit: AuditStore
    calls: OpenCalls
    person_pace: Pace
    workspace_pace: Pace


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    wake: Callable[..., None],
    works: bool = False,
    clock: SystemClock | None = None,
) -> AsyncIterator[Runtime]:
    """Build the runtime; close its connections on leaving, the portal's and Slack's after the work.

    `wake` takes the names of the engine's kinds for which there may be new work; with `works`, that is
    done here and need not be told to other processes.
    """
    clock = clock or SystemClock()
    metrics = Metrics()
    portal_reach, slack_reach = Reach("portal", clock), Reach("slack", clock)
    database = Database(settings.database_url, clock, wake, works=works)
    cipher = Cipher(settings.keys())
    hosts = HostRules(environment_base_url=settings.portal_base_url)
    transport = Transport(clock, metrics, portal_reach)
    http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    oauth = OAuthClient(transport, hosts, clock, client_id=settings.portal_client_id)
    links = LinkStore(database, cipher)
    grants = DeviceGrantStore(database, cipher)
    charges = ChargeStore(database, metrics)
    messages = MessageStore(database)
    accounts = Accounts(links, oauth, transport, hosts, clock)
    permission = Permission(settings.rules(), LockStore(database), charges, clock)
    poll_rules = PollRules(
        interval_seconds=settings.poll_interval_seconds, cap_seconds=settings.poll_cap_seconds
    )
    slack = SlackClient(
        token=settings.bot_token,
        base_url=settings.slack_api_url,
        session=http,
        timeout=SLACK_TIMEOUT_SECONDS,
        metrics=metrics,
        reach=slack_reach,
    )
    installations = InstallationStore(database, cipher)
    intents = IntentStore(database)
    overviews = OverviewStore(database, cipher)
    audit = AuditStore(database)
    one = OneWorkspace(slack, audit, clock) if settings.bot_token is not None else None
    workspaces = Workspaces(one or installations, slack)
    try:
        yield Runtime(
            settings=settings,
            clock=clock,
            metrics=metrics,
            database=database,
            slack=slack,
            http=http,
            accounts=accounts,
            billing=Billing(accounts, permission, charges, audit, clock),
            linking=Linking(database, grants, links, charges, accounts, workspaces, oauth, clock),
            purchases=Purchases(charges, accounts, permission, clock),
            charging=Charging(charges, accounts, permission, clock, poll_rules),
            permission=permission,
            intents=intents,
            homes=HomeStore(database),
            overviews=overviews,
            retention=Retention(charges, grants, intents, overviews, clock, settings.purge_after_days),
            outbox=Outbox(messages, clock),
            direct_messages=DirectMessages(),
            charges=charges,
            messages=messages,
            leases={"charge": charges.leases, "message": messages.leases, "device_grant": grants.leases},
            reaches=(portal_reach, slack_reach),
            workspaces=workspaces,
            one_workspace=one,
            installations=installations,
            lifecycle=Lifecycle(workspaces, accounts, links, grants, messages, clock),
            audit=audit,
            calls=OpenCalls(),
            person_pace=Pace(burst=40, per_second=1),
            workspace_pace=Pace(burst=1_000, per_second=50),
        )
    finally:
        await accounts.finish(REFRESH_GRACE_SECONDS)
        await transport.aclose()
        await http.close()
        await database.aclose()
