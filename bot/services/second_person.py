"""A portal account and its people in Slack: what may be connected, and who lets a second person in.

A person who approves a link that another person has started lets that person spend with their account. So
a second person waits until one who is connected already says yes.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.delivery import Delivery
from bot.domain.errors import NotLinkedError
from bot.domain.grant import GrantState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Identity
    from bot.domain.rules import Rules
    from bot.services.accounts import Accounts
    from bot.services.workspaces import Workspaces
    from bot.storage.account_people import AccountPeople
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.links import Link, LinkStore

SECOND_PERSON = "second_person"
"""The kind of subject of a question to a first person: the grant of a second one, by its id."""

WAITING = "waiting"
"""The kind of subject of a message to a person about their own grant, by its id: let in, or ended."""

WAIT_FOR = timedelta(days=1)
"""How long a second person waits; unanswered, their connection ends."""

log = structlog.get_logger(__name__)


class SecondPerson:
    """Decides on new connections, asks people who are connected already, and does what they answer."""

    def __init__(
        self,
        database: Database,
        links: LinkStore,
        people: AccountPeople,
        deliveries: DeliveryStore,
        accounts: Accounts,
        workspaces: Workspaces,
        rules: Rules,
        clock: Clock,
    ) -> None:
        self._database = database
        self._links = links
        self._people = people
        self._deliveries = deliveries
        self._accounts = accounts
        self._workspaces = workspaces
        self._rules = rules
        self._clock = clock

    async def other_email(self, identity: Identity, account: Account) -> bool:
        """Tell whether the operator demands one address in Slack and at the portal, and it is not the same.

        Raises:
            SlackUnavailableError: Slack does not answer.
        """
        if not self._rules.match_email:
            return False
        email = (await self._workspaces.profile(identity)).email
        return not email or not account.email or email.lower() != account.email.lower()

    def refused(self, account: Account, others: Sequence[Link]) -> GrantState | None:
        """Return how a grant ends that the operator's rules forbid; None if they allow it."""
        if self._rules.organizations and account.organization_id not in self._rules.organizations:
            return GrantState.OTHER_ORGANIZATION
        if self._rules.one_person_per_account and others:
            return GrantState.TAKEN
        return None

    async def admit(self, transaction: Transaction, link: Link, others: Sequence[Link]) -> Link:
        """Return a new link as it is to be stored: it waits if its account has other people.

        They are asked about it. A new link that does not wait is asked about those that do.
        """
        firsts = [other for other in others if other.waits_since is None]
        if not firsts or await self._people.was_let_in(link, within=transaction):
            for other in others:
                if other.waits_since is not None:
                    await self._tell(transaction, SECOND_PERSON, other.grant_id, link.identity)
            return link
        for first in firsts:
            await self._tell(transaction, SECOND_PERSON, link.grant_id, first.identity)
        return replace(link, waits_since=self._clock.now())

    async def firsts(self, link: Link) -> Sequence[Link]:
        """Return the people, by their links, who can let this one in."""
        async with self._database.transaction() as transaction:
            others = await self._links.others(link, within=transaction)
        return [other for other in others if other.waits_since is None]

    async def let_in(self, identity: Identity, grant_id: str) -> bool:
        """Let a second person use this person's account; return False if none waits there with this grant.

        Raises:
            NotLinkedError, RelinkRequiredError: this person is not connected.
            RuleError: this person waits too.
        """
        mine = await self._accounts.link(identity)
        async with self._database.transaction() as transaction:
            theirs = _of(await self._links.others(mine, within=transaction), grant_id)
            if theirs is None or not await self._people.let_in(theirs, by=mine, within=transaction):
                return False
            await self._tell(transaction, WAITING, grant_id, theirs.identity)
            await self._deliveries.wake_subject(SECOND_PERSON, grant_id, within=transaction)
        self._accounts.forget_cached(theirs.identity.key)
        return True

    async def cut(self, identity: Identity, grant_id: str) -> bool:
        """End another person's connection to this person's account; return False if there is none.

        If this person waits, their own connection ends too: nobody knows yet whose account it is.

        Raises:
            NotLinkedError: this person is not connected.
        """
        mine = await self._accounts.former_link(identity)
        if mine is None:
            raise NotLinkedError
        async with self._database.transaction() as transaction:
            theirs = _of(await self._links.others(mine, within=transaction), grant_id)
            if theirs is None:
                return False
            ended = [theirs] if mine.waits_since is None else [theirs, mine]
            for each in ended:
                await self._people.shut_out(each.identity.key, within=transaction)
                await self._end(transaction, each, why=f"by {identity.key}")
        for each in ended:
            self._accounts.forget_cached(each.identity.key)
        return True

    async def end_unanswered(self) -> None:
        """End the connections that nobody has let in within a day."""
        for link in await self._links.waiting(since_before=self._clock.now() - WAIT_FOR):
            async with self._database.transaction() as transaction:
                await self._end(transaction, link, why="unanswered", only_if_waiting=True)
            log.info("second_person.unanswered", owner=link.identity.key)

    async def _end(
        self, transaction: Transaction, link: Link, *, why: str, only_if_waiting: bool = False
    ) -> None:
        """End a connection, and tell its person and those who were asked about it."""
        if await self._links.end(link, why=why, within=transaction, only_if_waiting=only_if_waiting):
            await self._tell(transaction, WAITING, link.grant_id, link.identity)
            await self._deliveries.wake_subject(SECOND_PERSON, link.grant_id, within=transaction)

    async def _tell(self, transaction: Transaction, kind: str, grant_id: str, reader: Identity) -> None:
        delivery = Delivery(
            id=secrets.token_hex(16),
            subject_kind=kind,
            subject_id=grant_id,
            recipient=reader,
            created_at=self._clock.now(),
        )
        await self._deliveries.add(transaction, delivery)


def _of(others: Sequence[Link], grant_id: str) -> Link | None:
    return next((other for other in others if other.grant_id == grant_id), None)
