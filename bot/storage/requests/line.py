"""The line from which two people decide, and what counts towards it in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import String, literal, or_, select, union_all

from bot.domain.charge import NOT_CHARGED
from bot.domain.policy import ONE
from bot.domain.request import OrganizationKey, RequestState
from bot.storage.requests.lists import LONGEST_LIFE
from bot.storage.requests.rows import of_organization
from bot.storage.tables import charges, links, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.policy import Policy
    from bot.storage.connection import Connection
    from bot.storage.database import Database
    from bot.storage.policies import PolicyStore

DAY = timedelta(hours=24)
"""In which amounts for the same person are added before they are held against the line."""

_COUNTED = [RequestState.CHARGING.value, RequestState.DONE.value, RequestState.UNRESOLVED.value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Who:
    """For whom amounts are added: a Slack person, by their key, and their portal account."""

    owner: str
    account_id: str


class TwoPeopleLine:
    """Tells whether an amount for a person reaches the line of their organization."""

    def __init__(self, database: Database, policies: PolicyStore) -> None:
        self._database = database
        self._policies = policies

    async def added_for(
        self,
        connection: Connection,
        who: Who,
        key: OrganizationKey,
        policies: Sequence[Policy],
        *,
        but: str = "",
        holds: bool = False,
    ) -> Decimal:
        """Return the sum of 24 hours of what was, or is being, added for a person (US dollars).

        It is their paid requests and their own purchases, without the request or charge `but`, and those of
        whoever else uses their portal account; zero if no policy has a line. With `holds`, the sum holds to
        the end of the transaction: those who add for one person take turns.
        """
        if all(each.two_people_from is None for each in policies):
            return Decimal(0)
        if holds:
            names = (f"added:{name}" for name in sorted({who.owner, who.account_id}))
            turns = [select(literal(name, String).label("name")) for name in names]
            ordered = select(union_all(*turns).subquery().c.name).order_by("name")
            await connection.execute(select(self._database.backend.take_turns(ordered)))
        since = self._database.clock.now() - DAY
        asked, bought = requests.c, charges.c
        paid = select(asked.amount).where(
            *of_organization(key),
            or_(asked.owner == who.owner, asked.account_id == who.account_id),
            asked.state.in_(_COUNTED),
            asked.asked_at > since - LONGEST_LIFE,
            asked.decided_at > since,
            asked.id != but,
        )
        own = select(bought.amount).where(
            or_(bought.owner == who.owner, bought.account_id == who.account_id),
            bought.organization_id == key.organization_id,
            bought.request_id.is_(None),
            bought.confirmed_at > since,
            bought.state.not_in([state.value for state in NOT_CHARGED]),
            bought.id != but,
        )
        sums = [sum((await connection.execute(query)).scalars(), Decimal(0)) for query in (paid, own)]
        return sum(sums, Decimal(0))

    async def reached_by(
        self, connection: Connection, charge: Charge, *, holds: bool = False
    ) -> Decimal | None:
        """Return the line from which two people decide, if a purchase of one's own reaches it."""
        link = select(links.c.base_url).where(links.c.owner == charge.identity.key)
        key = OrganizationKey(
            tenant=charge.identity.tenant,
            base_url=await connection.scalar(link) or "",
            organization_id=charge.organization_id,
        )
        who = Who(owner=charge.identity.key, account_id=charge.account_id)
        return await self.reached(connection, who, key, charge.amount, but=charge.id, holds=holds)

    async def reached(
        self,
        connection: Connection,
        who: Who,
        key: OrganizationKey,
        amount: Decimal,
        *,
        but: str = "",
        holds: bool = False,
    ) -> Decimal | None:
        """Return the line from which two people decide, if this amount reaches it for this person."""
        policies = await self._policies.since(connection, key)
        before = await self.added_for(connection, who, key, policies, but=but, holds=holds)
        if policies[-1].people_for(amount, before) == ONE:
            return None
        return policies[-1].two_people_from or Decimal(0)

    async def line_for(
        self, identity: Identity, key: OrganizationKey, amount: Decimal, account_id: str, *, but: str = ""
    ) -> Decimal | None:
        """Return the line from which two people decide, if so much for this person reaches it now."""
        async with self._database.read() as connection:
            who = Who(owner=identity.key, account_id=account_id)
            return await self.reached(connection, who, key, amount, but=but)

    async def of(self, identity: Identity) -> Decimal | None:
        """Return the line of the organization to which a person is connected; None if there is none."""
        row = links.c
        query = select(row.base_url, row.organization_id).where(row.owner == identity.key)
        async with self._database.read() as connection:
            link = (await connection.execute(query)).first()
            if link is None:
                return None
            key = OrganizationKey(
                tenant=identity.tenant, base_url=link.base_url, organization_id=link.organization_id
            )
            policy = (await self._policies.since(connection, key))[-1]
        return Decimal(0) if policy.is_broken else policy.two_people_from
