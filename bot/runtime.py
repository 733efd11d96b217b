"""All parts of the app, built once and closed once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from bot.availability import Availability
from bot.metrics import Metrics
from bot.open_requests import OpenRequests
from bot.portal.hosts import HostRules
from bot.portal.oauth import OAuthClient
from bot.portal.transport import Transport
from bot.rate_limit import RateLimiter
from bot.services.accounts import Accounts
from bot.services.approving import Approving
from bot.services.billing import Billing
from bot.services.channels import Channels
from bot.services.charge_worker import ChargeWorker
from bot.services.digests import Digests
from bot.services.exporting import Exporting
from bot.services.first_voter import FirstVoter
from bot.services.lifecycle import Lifecycle
from bot.services.linking import Linking
from bot.services.lock_announcements import LockAnnouncements
from bot.services.members import Members
from bot.services.paying import Paying
from bot.services.people import People
from bot.services.permission import Permission
from bot.services.poll_waits import PollRules
from bot.services.proposals import Proposals
from bot.services.purchases import Purchases
from bot.services.reminders import Reminders
from bot.services.request_worker import RequestWorker
from bot.services.requests import Requests
from bot.services.retention import Retention
from bot.services.routing import Routing
from bot.services.second_person import SecondPerson
from bot.services.team import Team
from bot.services.watch_worker import WatchWorker
from bot.services.watching import Watching
from bot.services.workspaces import OneWorkspace, Workspaces
from bot.slack.client import DirectMessages, SlackClient
from bot.slack.delivery import Deliverer
from bot.slack.pictures import Pictures
from bot.slack.response_url import ResponseUrls
from bot.storage.account_people import AccountPeople
from bot.storage.app_home_viewers import AppHomeViewers
from bot.storage.audit import AuditStore
from bot.storage.away import AwayStore
from bot.storage.budget_notes import BudgetNotes
from bot.storage.charges.confirmation import ConfirmationStore
from bot.storage.charges.purge import ChargePurge
from bot.storage.charges.store import ChargeStore
from bot.storage.cipher import Cipher
from bot.storage.database import Database
from bot.storage.deliveries import DeliveryStore, MessageStore
from bot.storage.device_grants import DeviceGrantStore
from bot.storage.ended_work import EndedWork
from bot.storage.installations import InstallationStore
from bot.storage.links import LinkStore
from bot.storage.locks import LockStore
from bot.storage.overviews import OverviewStore
from bot.storage.pending_confirmations import PendingConfirmations
from bot.storage.policies import PolicyStore
from bot.storage.requests.deciding import Deciding
from bot.storage.requests.line import TwoPeopleLine
from bot.storage.requests.lists import RequestLists
from bot.storage.requests.purge import RequestPurge
from bot.storage.requests.store import RequestStore
from bot.storage.requests.votes import Votes
from bot.storage.tenant_move import TenantMoves
from bot.storage.watches import WatchStore
from bot.system_clock import SystemClock
from bot.timing import SLACK_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bot.settings import Settings

REFRESH_GRACE_SECONDS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """The parts that handlers and jobs use."""

    settings: Settings
    clock: SystemClock
    metrics: Metrics
    availabilities: tuple[Availability, ...]
    person_rate: RateLimiter
    workspace_rate: RateLimiter
    open_requests: OpenRequests
    http: aiohttp.ClientSession
    responses: ResponseUrls
    slack: SlackClient
    deliverer: Deliverer
    # Services.
    accounts: Accounts
    approving: Approving
    billing: Billing
    charge_worker: ChargeWorker
    lifecycle: Lifecycle
    linking: Linking
    members: Members
    one_workspace: OneWorkspace | None
    permission: Permission
    purchases: Purchases
    reminders: Reminders
    requests: Requests
    request_worker: RequestWorker
    retention: Retention
    routing: Routing
    second_person: SecondPerson
    team: Team
    watch_worker: WatchWorker
    watching: Watching
    exporting: Exporting
    digests: Digests
    people: People
    workspaces: Workspaces
    # The stores.
    database: Database
    app_home_viewers: AppHomeViewers
    audit: AuditStore
    away: AwayStore
    charges: ChargeStore
    deliveries: DeliveryStore
    device_grants: DeviceGrantStore
    installations: InstallationStore
    messages: MessageStore
    links: LinkStore
    overviews: OverviewStore
    pending_confirmations: PendingConfirmations
    policies: PolicyStore
    watches: WatchStore
    deciding: Deciding
    request_store: RequestStore


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    wake: Callable[..., None],
    works: bool = False,
    clock: SystemClock | None = None,
) -> AsyncIterator[Runtime]:
    """Build the runtime; on exit, close its connections, the database's last.

    `wake` takes the names of the engine's kinds that may have new work. With `works`, this process does
    that work itself, so it does not notify other processes.
    """
    clock = clock or SystemClock()
    metrics = Metrics()
    portal_availability, slack_availability = Availability("portal", clock), Availability("slack", clock)
    cipher = Cipher(settings.keys())
    database = Database(settings.database_url, clock, wake, works=works, channel=cipher.channel)
    hosts = HostRules(environment_base_url=settings.portal_base_url)
    transport = Transport(clock, metrics, portal_availability)
    http = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )
    oauth = OAuthClient(transport, hosts, clock, client_id=settings.portal_client_id)
    pictures = Pictures(settings.public_url)
    slack = SlackClient(
        token=settings.bot_token,
        base_url=settings.slack_api_url,
        session=http,
        timeout=SLACK_TIMEOUT_SECONDS,
        metrics=metrics,
        availability=slack_availability,
        pictures=pictures,
    )
    responses = ResponseUrls(http, settings.slack_api_url, pictures)
    entered = partial(metrics.charge_entered, now=clock.now)
    links = LinkStore(database, cipher)
    deliveries, messages = DeliveryStore(database, cipher), MessageStore(database, cipher)
    grants = DeviceGrantStore(database, cipher, deliveries)
    request_store = RequestStore(
        database,
        deliveries,
        Votes(cipher),
        metrics.request_entered,
        metrics.approval_refused,
        are_on=settings.team_spending,
    )
    charges = ChargeStore(database, cipher, request_store, entered)
    lists, policies = RequestLists(database), PolicyStore(database, cipher, deliveries)
    line = TwoPeopleLine(database, policies, metrics.over_budget, are_budgets_on=settings.team_spending)
    deciding = Deciding(database, request_store, policies, line, BudgetNotes(deliveries))
    confirmations = ConfirmationStore(database, cipher, deciding, entered)
    installations, overviews = InstallationStore(database, cipher), OverviewStore(database, cipher)
    pending, audit, away = PendingConfirmations(database), AuditStore(database), AwayStore(database)
    accounts = Accounts(links, oauth, transport, hosts, clock, metrics.link_lost)
    rules = settings.rules()
    locks = LockStore(database, cipher, LockAnnouncements(deliveries, settings.announce_channel).announce)
    permission = Permission(rules, locks, confirmations, line, clock)
    poll_rules = PollRules(
        interval_seconds=settings.poll_interval_seconds, cap_seconds=settings.poll_cap_seconds
    )
    one = OneWorkspace(slack, audit, clock) if settings.bot_token is not None else None
    workspaces = Workspaces(one or installations, slack)
    lifecycle = Lifecycle(
        workspaces, accounts, links, grants, (deliveries, messages), TenantMoves(database, cipher), clock
    )
    purge = ChargePurge(database)
    members = Members(workspaces, clock, guests_ask=settings.request_guests)
    people = People(
        accounts=accounts, members=members, channels=Channels(workspaces, clock), permission=permission
    )
    watches = WatchStore(database, days=settings.readings_days)
    watch_worker = WatchWorker(
        database,
        watches,
        deliveries,
        accounts,
        clock,
        settings.pace(),
        RateLimiter(burst=max(1, float(settings.watch_rate)), per_second=float(settings.watch_rate)),
        metrics,
        are_on=settings.team_spending,
    )
    routing = Routing(
        database,
        links,
        people,
        request_store,
        lists,
        deliveries,
        away,
        policies,
        watch_worker.visited,
    )
    proposals, paying = (
        Proposals(charges, confirmations, clock),
        Paying(request_store, deciding, charges, people, clock),
    )
    approving = Approving(
        request_store,
        deciding,
        lists,
        charges,
        paying,
        proposals,
        people,
        routing,
        clock,
    )
    second_person = SecondPerson(
        database, links, AccountPeople(database), deliveries, accounts, workspaces, rules, clock
    )
    try:
        yield Runtime(
            settings=settings,
            clock=clock,
            metrics=metrics,
            availabilities=(portal_availability, slack_availability),
            person_rate=RateLimiter(burst=40, per_second=1),
            workspace_rate=RateLimiter(burst=1_000, per_second=50),
            open_requests=OpenRequests(),
            http=http,
            responses=responses,
            slack=slack,
            deliverer=Deliverer(
                workspaces.slack_of, DirectMessages(), responses, clock, lifecycle.deactivated
            ),
            accounts=accounts,
            approving=approving,
            billing=Billing(
                accounts,
                permission,
                charges,
                audit,
                routing,
                watches,
                clock,
                people_ask=settings.team_spending,
            ),
            charge_worker=ChargeWorker(
                charges,
                accounts,
                permission,
                FirstVoter(deciding, people),
                clock,
                poll_rules,
                metrics,
            ),
            lifecycle=lifecycle,
            members=members,
            linking=Linking(
                database, grants, links, charges, accounts, workspaces, oauth, second_person, clock
            ),
            one_workspace=one,
            permission=permission,
            purchases=Purchases(
                charges, confirmations, proposals, paying, line, accounts, permission, clock
            ),
            reminders=Reminders(links, deliveries, clock),
            requests=Requests(
                request_store,
                lists,
                charges,
                policies,
                line,
                people,
                routing,
                clock,
                timedelta(hours=settings.request_life_hours) if settings.team_spending else None,
            ),
            request_worker=RequestWorker(request_store, charges, routing, clock),
            retention=Retention(
                purge,
                RequestPurge(database),
                away,
                watches,
                EndedWork(database),
                pending,
                overviews,
                clock,
                settings.purge_after_days,
            ),
            routing=routing,
            second_person=second_person,
            team=Team(
                database,
                policies,
                deciding,
                links,
                people,
                routing,
                clock,
                settings.request_life_hours,
            ),
            watch_worker=watch_worker,
            watching=Watching(database, watches, people, routing, clock),
            digests=Digests(database, watches, lists, line),
            exporting=Exporting(database, people, workspaces, links, deliveries, policies, watches, clock),
            workspaces=workspaces,
            database=database,
            app_home_viewers=AppHomeViewers(database),
            audit=audit,
            away=away,
            charges=charges,
            deliveries=deliveries,
            device_grants=grants,
            installations=installations,
            links=links,
            messages=messages,
            overviews=overviews,
            pending_confirmations=pending,
            policies=policies,
            watches=watches,
            deciding=deciding,
            people=people,
            request_store=request_store,
        )
    finally:
        await accounts.finish(REFRESH_GRACE_SECONDS)
        await transport.aclose()
        await http.close()
        await database.aclose()
