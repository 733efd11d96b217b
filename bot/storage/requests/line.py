"""What one person alone may add: up to the line from which two people decide, and up to the budgets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import String, literal, or_, select, union_all

from bot.domain.budget import Month, Whose, uses_of
from bot.domain.charge import NOT_CHARGED
from bot.domain.policy import ONE, Before, Hold
from bot.domain.request import OrganizationKey, RequestState
from bot.storage.budgets import spent_in
from bot.storage.requests.lists import LONGEST_LIFE
from bot.storage.requests.rows import of_organization
from bot.storage.tables import charges, links, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.domain.budget import Budget, BudgetUse
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
    """For whom amounts are added: a Slack person with their portal account, and in which channel."""

    person: Identity
    account_id: str
    channel: str | None = None


class TwoPeopleLine:
    """Tells what holds an amount for a person up: the line of their organization, or its budgets."""

    def __init__(
        self,
        database: Database,
        policies: PolicyStore,
        over: Callable[[BudgetUse], None] = lambda _use: None,
        *,
        are_budgets_on: bool = True,
    ) -> None:
        """`over` is called with each budget over which somebody's amount goes."""
        self._database = database
        self._policies = policies
        self._over = over
        self._are_budgets_on = are_budgets_on

    async def before(
        self,
        connection: Connection,
        who: Who,
        key: OrganizationKey,
        policies: Sequence[Policy],
        *,
        but: str = "",
        holds: bool = False,
    ) -> Before:
        """Return what was, or is being, added before an amount for a person, by the policies of a request.

        That is without the request or charge `but`. With `holds`, it holds to the end of the transaction:
        those who add for one person, or in an organization with budgets, take turns.
        """
        budgets = policies[-1].budgets_of(who.person.user, who.channel) if self._are_budgets_on else ()
        if holds and (_have_line(policies) or budgets):
            await self._take_turns(connection, who, key)
        return Before(
            day=await self._day(connection, who, key, policies, but),
            uses=await self.uses(connection, key, policies[-1], budgets, but=but),
        )

    async def _take_turns(self, connection: Connection, who: Who, key: OrganizationKey) -> None:
        people = [f"added:{name}" for name in sorted({who.person.key, who.account_id})]
        names = [*people, f"budgets:{key.tenant}:{key.organization_id}"]
        turns = [select(literal(name, String).label("name")) for name in names]
        ordered = select(union_all(*turns).subquery().c.name).order_by("name")
        await connection.execute(select(self._database.backend.take_turns(ordered)))

    async def uses(
        self,
        connection: Connection,
        key: OrganizationKey,
        policy: Policy,
        budgets: Sequence[Budget],
        *,
        but: str = "",
    ) -> tuple[BudgetUse, ...]:
        """Return how much of these budgets is used in this month, without the request or charge `but`."""
        if not budgets:
            return ()
        month = Month.at(self._database.clock.now(), policy.zone)
        return uses_of(budgets, month, await spent_in(connection, key, month, but=but))

    async def uses_of(self, key: OrganizationKey, *, only: Identity | None = None) -> tuple[BudgetUse, ...]:
        """Return how far the budgets in force are used in this month: all, or this person's `only`."""
        async with self._database.read() as connection:
            policy = (await self._policies.since(connection, key))[-1]
            seen = [
                each
                for each in policy.budgets
                if only is None or (each.whose is Whose.PERSON and each.subject == only.user)
            ]
            return await self.uses(connection, key, policy, seen if self._are_budgets_on else ())

    async def _day(
        self, connection: Connection, who: Who, key: OrganizationKey, policies: Sequence[Policy], but: str
    ) -> Decimal:
        """Return what was added in a day, as far as a line counts it."""
        return await self._added_in_a_day(connection, who, key, but) if _have_line(policies) else Decimal(0)

    async def _added_in_a_day(
        self,
        connection: Connection,
        who: Who,
        key: OrganizationKey,
        but: str,
    ) -> Decimal:
        """Return the sum of 24 hours of what was, or is being, added for a person (US dollars).

        It is their paid requests and their own purchases, and those of whoever else uses their portal
        account.
        """
        owner = who.person.key
        since = self._database.clock.now() - DAY
        asked, bought = requests.c, charges.c
        paid = select(asked.amount).where(
            *of_organization(key),
            or_(asked.owner == owner, asked.account_id == who.account_id),
            asked.state.in_(_COUNTED),
            asked.asked_at > since - LONGEST_LIFE,
            asked.decided_at > since,
            asked.id != but,
        )
        own = select(bought.amount).where(
            or_(bought.owner == owner, bought.account_id == who.account_id),
            bought.organization_id == key.organization_id,
            bought.request_id.is_(None),
            bought.confirmed_at > since,
            bought.state.not_in([state.value for state in NOT_CHARGED]),
            bought.id != but,
        )
        sums = [sum((await connection.execute(query)).scalars(), Decimal(0)) for query in (paid, own)]
        return sum(sums, Decimal(0))

    async def reached_by(self, connection: Connection, charge: Charge) -> Decimal | None:
        """Return the line from which two people decide, if a purchase of one's own reaches it.

        Budgets have counted it since its confirmation.
        """
        key = await _key_of(connection, charge)
        return await self._line_reached(connection, _buyer(charge), key, charge.amount, but=charge.id)

    async def hold_of(
        self, connection: Connection, charge: Charge
    ) -> tuple[Hold | None, Before, OrganizationKey]:
        """Return what holds a purchase of one's own up as it is confirmed, and what was added before it."""
        key = await _key_of(connection, charge)
        policies = await self._policies.since(connection, key)
        before = await self.before(connection, _buyer(charge), key, policies, but=charge.id, holds=True)
        return self._counted(Hold.of(policies[-1], charge.amount, before)), before, key

    async def reached(self, who: Who, key: OrganizationKey, amount: Decimal) -> Decimal | None:
        """Return the line from which two people decide, if so much for a person reaches it now."""
        async with self._database.read() as connection:
            return await self._line_reached(connection, who, key, amount)

    async def _line_reached(
        self, connection: Connection, who: Who, key: OrganizationKey, amount: Decimal, *, but: str = ""
    ) -> Decimal | None:
        policies = await self._policies.since(connection, key)
        day = await self._day(connection, who, key, policies, but)
        return None if policies[-1].people_for(amount, day) == ONE else _line_of(policies[-1])

    async def hold(self, who: Who, key: OrganizationKey, amount: Decimal, *, but: str = "") -> Hold | None:
        """Return why one person alone cannot add so much for a person now; None if they can."""
        async with self._database.read() as connection:
            policies = await self._policies.since(connection, key)
            before = await self.before(connection, who, key, policies, but=but)
        return self._counted(Hold.of(policies[-1], amount, before))

    def _counted(self, hold: Hold | None) -> Hold | None:
        if hold is not None and hold.over is not None:
            self._over(hold.over)
        return hold

    async def of(self, identity: Identity) -> Decimal | None:
        """Return the line of the organization to which a person is connected; None if there is none."""
        async with self._database.read() as connection:
            key = await _organization_of(connection, identity)
            if key is None:
                return None
            policy = (await self._policies.since(connection, key))[-1]
        return Decimal(0) if policy.is_broken else policy.two_people_from

    async def own_uses(self, identity: Identity, *, everything: bool) -> tuple[BudgetUse, ...]:
        """Return the budgets that limit what a person adds for themselves, as used in this month.

        Without `everything`, not those that are for others too.
        """
        async with self._database.read() as connection:
            key = await _organization_of(connection, identity)
        if key is None:
            return ()
        found = await self.uses_of(key, only=None if everything else identity)
        return tuple(each for each in found if each.budget.concerns(identity.user, None))


async def _organization_of(connection: Connection, identity: Identity) -> OrganizationKey | None:
    row = links.c
    query = select(row.base_url, row.organization_id).where(row.owner == identity.key)
    link = (await connection.execute(query)).first()
    if link is None:
        return None
    return OrganizationKey(
        tenant=identity.tenant, base_url=link.base_url, organization_id=link.organization_id
    )


async def _key_of(connection: Connection, charge: Charge) -> OrganizationKey:
    """Return for which organization a purchase is, at the deployment to which its buyer is connected."""
    link = select(links.c.base_url).where(links.c.owner == charge.identity.key)
    return OrganizationKey(
        tenant=charge.identity.tenant,
        base_url=await connection.scalar(link) or "",
        organization_id=charge.organization_id,
    )


def _have_line(policies: Sequence[Policy]) -> bool:
    return any(each.two_people_from is not None for each in policies)


def _line_of(policy: Policy) -> Decimal:
    """Return the line; of a broken policy, by which two people always decide, zero."""
    return policy.two_people_from or Decimal(0)


def _buyer(charge: Charge) -> Who:
    return Who(person=charge.identity, account_id=charge.account_id, channel=charge.channel)
