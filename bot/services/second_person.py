"""A portal account and its people in Slack: what may be connected, and who is told of a second person.

A person who approves a link that another person has started lets that person spend with their account.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from bot.domain.delivery import Delivery
from bot.domain.grant import GrantState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Identity
    from bot.domain.rules import Rules
    from bot.services.accounts import Accounts
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.links import Link, LinkStore

SECOND_PERSON = "second_person"
"""The kind of subject of a warning: the grant by which another person was connected, by its id."""


class SecondPerson:
    """Decides on new connections, warns people who are connected already, and ends connections for them."""

    def __init__(
        self,
        database: Database,
        links: LinkStore,
        deliveries: DeliveryStore,
        accounts: Accounts,
        rules: Rules,
        clock: Clock,
    ) -> None:
        self._database = database
        self._links = links
        self._deliveries = deliveries
        self._accounts = accounts
        self._rules = rules
        self._clock = clock

    def refused(self, account: Account, others: Sequence[Link]) -> GrantState | None:
        """Return how a grant ends that the operator's rules forbid; None if they allow it."""
        if self._rules.organizations and account.organization_id not in self._rules.organizations:
            return GrantState.OTHER_ORGANIZATION
        if self._rules.one_person_per_account and others:
            return GrantState.TAKEN
        return None

    async def warn(self, transaction: Transaction, link: Link, others: Sequence[Link]) -> None:
        """Tell each of the others who else is connected to their account now."""
        for other in others:
            warning = Delivery(
                id=secrets.token_hex(16),
                subject_kind=SECOND_PERSON,
                subject_id=link.grant_id,
                recipient=other.identity,
                created_at=self._clock.now(),
            )
            await self._deliveries.add(transaction, warning)

    async def cut(self, identity: Identity, grant_id: str) -> bool:
        """End another person's connection to this person's portal account; return False if there is none.

        Raises:
            NotLinkedError, RelinkRequiredError: this person is not connected to it.
        """
        mine = await self._accounts.link(identity)
        async with self._database.transaction() as transaction:
            others = await self._links.others(mine, within=transaction)
        theirs = next((other for other in others if other.grant_id == grant_id), None)
        if theirs is None:
            return False
        await self._accounts.disconnect(theirs.identity, by=identity)
        await self._deliveries.wake_subject(SECOND_PERSON, grant_id)
        return True
