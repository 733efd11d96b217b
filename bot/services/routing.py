"""Who is told of a request. It allows nothing: the portal is asked when somebody decides."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import BillingError
from bot.domain.policy import Policy
from bot.domain.request import OrganizationKey
from bot.domain.request_views import Approvers
from bot.storage.policies import POLICY_CHANNEL, message_about
from bot.storage.requests.rows import REQUEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.domain.billing import BillingState
    from bot.domain.identity import Connection, Identity
    from bot.domain.request import FundsRequest
    from bot.services.people import People
    from bot.storage.away import AwayStore
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.links import Link, LinkStore
    from bot.storage.policies import PolicyStore
    from bot.storage.requests.lists import RequestLists
    from bot.storage.requests.store import RequestStore

MOST_TOLD = 10
"""How many people get a message about one request; the others see it in App Home."""

ENOUGH = 2
"""With fewer people told, whoever can pay from now on is told of the open requests too."""

MOST_ASKED = 10
ANYBODY = Policy()
ASK_SECONDS = 2
"""How long to wait for the portal to say who of those not known yet may pay."""

log = structlog.get_logger(__name__)


class Routing:
    """Remembers who may pay, and finds them."""

    def __init__(
        self,
        database: Database,
        links: LinkStore,
        people: People,
        requests: RequestStore,
        lists: RequestLists,
        deliveries: DeliveryStore,
        away: AwayStore,
        policies: PolicyStore,
        visited: Callable[[Identity, BillingState], Awaitable[None]],
    ) -> None:
        """`visited` is called with what a look has shown."""
        self._visited = visited
        self._database = database
        self._links = links
        self._people = people
        self._requests = requests
        self._lists = lists
        self._deliveries = deliveries
        self._away = away
        self._policies = policies

    async def approvers(self, key: OrganizationKey, *, requester: Identity, account_id: str) -> Approvers:
        """Return who can probably decide on a request of this person, those who decided last first.

        Whoever is away is not told, unless nobody else is there; who is to be told instead comes first.
        Whom the policy names is told to connect. If its channel cannot be verified now, people are told.
        """
        policy = await self._policies.newest(key)
        able = await self._able(key, policy, requester=requester, account_id=account_id)
        channel = policy.post_to
        if channel is not None and await self._people.channels.problem(requester, channel) is None:
            return Approvers(told=(), more=len(able), channel=channel, able=len(able))
        return await self._people_told(key, policy, requester, able)

    async def _people_told(
        self, key: OrganizationKey, policy: Policy, requester: Identity, able: Sequence[Identity]
    ) -> Approvers:
        """Return which of those who can decide get direct messages."""
        absent = await self._away.all_of([each.key for each in able])
        here = [each for each in able if each.key not in absent and each.user not in policy.quiet_approvers]
        here = here or [*able]
        if len(here) > MOST_TOLD:
            latest = {owner: place for place, owner in enumerate(await self._lists.deciders(key))}
            instead = {delegate for _, delegate in absent.values()}
            here.sort(key=lambda each: (each.user not in instead, latest.get(each.key, len(latest))))
        told = here[:MOST_TOLD]
        more = len(able) - len(told)
        told += await self._not_connected(key, policy, requester)
        return Approvers(told=tuple(told), more=more, able=len(able))

    async def goes_to_channel(self, request: FundsRequest, channel: str) -> bool:
        """Tell whether a new card may go to a channel now; if not, tell people directly instead."""
        if await self._people.channels.problem(request.requester, channel) is None:
            return True
        await self.tell_directly(request, channel)
        return False

    async def tell_directly(self, request: FundsRequest, channel: str) -> None:
        """Tell people of a request that a channel does not get, and once a day those who set the policy."""
        policy = await self._policies.newest(request.key)
        able = await self._able(
            request.key, policy, requester=request.requester, account_id=request.account_id
        )
        told = (await self._people_told(request.key, policy, request.requester, able)).told
        allow_policy = self._people.permission.rules.allow_policy
        async with self._database.transaction() as transaction:
            for reader in told:
                await self._requests.tell(transaction, request.id, reader)
            subject = f"{channel}-{transaction.now():%Y-%m-%d}"
            for admin in filter(allow_policy, able):
                notice = message_about(POLICY_CHANNEL, subject, admin, transaction.now())
                await self._deliveries.add(transaction, notice)
        log.info("routing.told_directly", request=request.id, told=len(told))

    async def _not_connected(
        self, key: OrganizationKey, policy: Policy, requester: Identity
    ) -> list[Identity]:
        """Return the people whom a policy names and who are not connected to the organization."""
        connected = {link.identity.user for link in await self._links.colleagues(key)}
        named = [
            replace(requester, user=user)
            for user in policy.approvers
            if user not in connected and user != requester.user and user not in policy.quiet_approvers
        ]
        full = await asyncio.gather(*(self._people.members.is_full(each) for each in named))
        return [each for each, is_full in zip(named, full, strict=True) if is_full]

    async def others(self, request: FundsRequest) -> Sequence[Identity]:
        """Return those who can probably decide on a request and were not told of it, away or not."""
        policy = await self._policies.newest(request.key)
        able = await self._able(
            request.key, policy, requester=request.requester, account_id=request.account_id
        )
        readers = {each.key for each in await self._deliveries.readers(REQUEST, request.id)}
        return [each for each in able if each.key not in readers][:MOST_TOLD]

    async def able(self, key: OrganizationKey, policy: Policy = ANYBODY) -> list[Identity]:
        """Return who of an organization can probably pay, in the order in which they connected.

        With a policy, only those whom it lets decide.
        """
        return await self._able(key, policy)

    async def _able(
        self,
        key: OrganizationKey,
        policy: Policy,
        *,
        requester: Identity | None = None,
        account_id: str | None = None,
    ) -> list[Identity]:
        """Return who can probably decide on a request of this person."""
        colleagues = [
            link
            for link in await self._links.colleagues(key)
            if (requester is None or link.identity.key != requester.key)
            and link.account.account_id != account_id
            and self._people.permission.rules.allow_person(link.identity)
        ]
        await self._ask_unknown([link for link in colleagues if link.may_charge is None])
        able = [link.identity for link in await self._links.colleagues(key) if link.may_charge]
        chosen = {link.identity.key for link in colleagues}
        able = [each for each in able if each.key in chosen and await self._is_listed(each, policy)]
        full = await asyncio.gather(*(self._people.members.is_full(each) for each in able))
        return [each for each, is_full in zip(able, full, strict=True) if is_full]

    async def decides(self, identity: Identity, key: OrganizationKey) -> bool:
        """Tell whether the policy of an organization lets a person decide."""
        return await self._is_listed(identity, await self._policies.newest(key))

    async def _is_listed(self, identity: Identity, policy: Policy) -> bool:
        memberships = await self._people.channels.memberships(identity, [policy])
        return policy.allows(identity.user, memberships)

    async def _ask_unknown(self, links: Sequence[Link]) -> None:
        """Ask the portal, with each person's own connection, who may pay."""
        if not links:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                await asyncio.gather(*map(self._ask, links[:MOST_ASKED]))

    async def _ask(self, link: Link) -> None:
        try:
            _, portal = await self._people.accounts.portal(link.identity)
            await self.observe(link.identity, link, await portal.state(in_background=True))
        except BillingError as error:
            log.info("routing.not_known", problem=type(error).__name__)

    async def seen(self, identity: Identity, connection: Connection, state: BillingState) -> None:
        """Remember what the portal has just said of a person, if it is new; a failure is only logged."""
        await self._visited(identity, state)
        if connection.may_charge is state.may_charge:
            return
        try:
            link = await self._people.accounts.former_link(identity)
            if link is not None and link.account.grant == connection.account.grant:
                await self.observe(identity, link, state)
        except BillingError as error:
            log.info("routing.not_remembered", problem=type(error).__name__)

    async def observe(self, identity: Identity, link: Link, state: BillingState) -> None:
        """Remember whether a person may pay. Whoever may from now on is told what waits."""
        await self._visited(identity, state)
        if link.may_charge is state.may_charge or state.organization_id != link.account.organization_id:
            return
        waiting = await self._untold(identity, link) if state.may_charge else []
        async with self._database.transaction() as transaction:
            is_current = await self._links.remember_role(
                link, may_charge=state.may_charge, within=transaction
            )
            for request in waiting if is_current else ():
                await self._requests.tell(transaction, request.id, identity)
            if is_current:
                await self._requests.draw_again_for(transaction, key_of(identity, link), identity)

    async def _untold(self, identity: Identity, link: Link) -> Sequence[FundsRequest]:
        """Return the open requests of which fewer than ENOUGH people were told, and not this person."""
        key = key_of(identity, link)
        policy = await self._policies.newest(key)
        is_told = policy.post_to is None and identity.user not in policy.quiet_approvers
        if not is_told or not await self._is_listed(identity, policy):
            return []
        found = []
        for request in await self._lists.open_of(key, but=identity.key, limit=MOST_TOLD):
            readers = {each.key for each in await self._deliveries.readers(REQUEST, request.id)}
            others = readers - {request.requester.key}
            is_other = request.account_id != link.account.account_id
            if is_other and identity.key not in readers and len(others) < ENOUGH:
                found.append(request)
        if not found or not await self._people.members.is_full(identity):
            return []
        return found


def key_of(identity: Identity, link: Link) -> OrganizationKey:
    """Return the organization to which a person is connected."""
    return OrganizationKey(
        tenant=identity.tenant, base_url=link.base_url, organization_id=link.account.organization_id
    )
