"""Taking out purchases: a month of an organization for whoever may charge there, one's own for all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from bot.domain.audit import Action
from bot.domain.budget import Month
from bot.domain.identity import Identity
from bot.domain.working_hours import zone_named
from bot.services.routing import key_of
from bot.slack.client import DirectMessages
from bot.slack.errors import SlackError
from bot.storage.exports import Span, purchases_in, sealed_in
from bot.storage.policies import message_about

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bot.domain.clock import Clock
    from bot.domain.request import OrganizationKey
    from bot.services.people import People
    from bot.services.workspaces import Workspaces
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.exports import Purchase, Sealed
    from bot.storage.links import LinkStore
    from bot.storage.policies import PolicyStore
    from bot.storage.watches import WatchStore

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
EXPORTED = "exported"
"""The kind of subject of the notice to others: who has taken out purchases, and on which day."""

MOST_NAMED = 50
"""Of more people than these only the ids are written."""


class MonthError(Exception):
    """What was typed is no month."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A month's purchases; `everything`: those of all people, not only the reader's own."""

    month: date
    zone: str
    organization_name: str | None
    everything: bool
    purchases: Sequence[Purchase]
    sealed: Sealed
    names: Mapping[str, str]


class Exporting:
    """Finds the purchases of a month, and sends them to whoever has asked."""

    def __init__(
        self,
        database: Database,
        people: People,
        workspaces: Workspaces,
        links: LinkStore,
        deliveries: DeliveryStore,
        policies: PolicyStore,
        watches: WatchStore,
        clock: Clock,
    ) -> None:
        self._database = database
        self._people = people
        self._workspaces = workspaces
        self._direct_messages = DirectMessages()
        self._links = links
        self._deliveries = deliveries
        self._policies = policies
        self._watches = watches
        self._clock = clock

    async def month(self, identity: Identity, typed: str) -> Exported:
        """Return the purchases of a month, `2026-11`, in the organization's zone; by default of this one.

        Raises:
            RuleError: requests and watching are switched off.
            MonthError: it is no month.
            NotLinkedError, RelinkRequiredError, PortalError: who they are is not known.
        """
        self._people.permission.rules.require_requests()
        link, state = await self._people.accounts.standing(identity)
        key = key_of(identity, link)
        zone = await self._zone(key)
        today = self._clock.wall().astimezone(zone_named(zone)).date()
        month = _read(typed) if typed else today.replace(day=1)
        bounds = Month.beginning(month, zone)
        span = Span(
            organization_id=key.organization_id,
            since=bounds.opens_at,
            until=bounds.closes_at,
            tenant=identity.tenant,
            owner=None if state.may_change_plan else identity.key,
        )
        purchases = await purchases_in(self._database, span)
        facts = {"month": f"{month:%Y-%m}", "purchases": len(purchases)}
        await self._tell(identity, key, facts, everything=state.may_change_plan)
        return Exported(
            month=month,
            zone=zone,
            organization_name=state.organization_name,
            everything=state.may_change_plan,
            purchases=purchases,
            sealed=await sealed_in(self._database, span),
            names=await self._names(identity, purchases),
        )

    async def _tell(
        self, identity: Identity, key: OrganizationKey, facts: Mapping[str, object], *, everything: bool
    ) -> None:
        """Record an export; of everybody's purchases the others who may charge read, once a day."""
        others = [
            each.identity
            for each in await self._links.colleagues(key)
            if everything and each.may_charge and each.identity.key != identity.key
        ]
        async with self._database.transaction() as transaction:
            await transaction.record(
                Action.EXPORT,
                actor=identity.key,
                subject=key.organization_id,
                result="exported",
                facts=facts,
            )
            now = transaction.now()
            for reader in others:
                subject = f"{identity.user} {now:%Y-%m-%d}"
                notice = message_about(EXPORTED, subject, reader, now)
                await self._deliveries.add(transaction, notice)

    async def _zone(self, key: OrganizationKey) -> str:
        policy = await self._policies.newest(key)
        if policy.version:
            return policy.zone
        watch = await self._watches.of(key)
        return "UTC" if watch is None else watch.zone

    async def _names(self, identity: Identity, purchases: Sequence[Purchase]) -> Mapping[str, str]:
        """Return the names of the people in it; who cannot be named now keeps their id alone."""
        users = {each.charge.identity.user for each in purchases}
        users |= {user for each in purchases for user in (each.requester, each.first_approver) if user}
        if len(users) > MOST_NAMED:
            return {}
        people = [Identity(enterprise=identity.enterprise, team=identity.team, user=user) for user in users]
        found = await asyncio.gather(*(self._name(each) for each in people))
        return {person.user: name for person, name in zip(people, found, strict=True) if name}

    async def _name(self, identity: Identity) -> str | None:
        try:
            return await self._people.members.name(identity)
        except SlackError:
            return None

    async def send(self, identity: Identity, *, name: str, title: str, content: str, comment: str) -> None:
        """Send a file to the person in their direct messages with the app.

        Raises:
            SlackRefusedError: Slack takes no file now; `missing_scope`: the app may send none.
            SlackUnavailableError: it may or may not have arrived.
        """
        slack = await self._workspaces.slack_of(identity)
        channel = await self._direct_messages.channel(slack, identity.user)
        await slack.send_file(channel=channel, name=name, title=title, content=content, comment=comment)


def _read(typed: str) -> date:
    """Return the first day of a month, `2026-11`.

    Raises:
        MonthError: it is no month.
    """
    read = _MONTH.fullmatch(typed)
    if read is None:
        raise MonthError
    return date(int(read[1]), int(read[2]), 1)
