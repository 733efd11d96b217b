"""The statements that decide on a request: who pays it, who is the first of two, and who may buy alone.

A transaction locks charges before requests. What is read before proves nothing: every condition is in the
statement, or is read in its transaction (`bot.domain.request.obstacle` explains them).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Integer, String, bindparam, case, or_, select, update

from bot.domain.errors import PortalRefusalError, RefusalCode
from bot.domain.policy import ONE, TWO, Demand
from bot.domain.request import LOOK_AGAIN, FundsRequest, OrganizationKey, RequestState
from bot.domain.request_views import FirstOfTwo
from bot.domain.rules import Rule, RuleError
from bot.domain.vote import Voided, VoteKind, method_key
from bot.storage.live_links import IS_LIVE
from bot.storage.requests.line import Who
from bot.storage.requests.rows import IS_OPEN, as_seen, difference, of_organization, request_of
from bot.storage.requests.votes import COUNTS, void_votes
from bot.storage.tables import links, requests
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from sqlalchemy import ColumnElement

    from bot.domain.charge import Charge
    from bot.domain.policy import Policy
    from bot.domain.vote import Vote
    from bot.storage.budget_notes import BudgetNotes
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database
    from bot.storage.policies import PolicyStore
    from bot.storage.requests.line import TwoPeopleLine
    from bot.storage.requests.store import RequestStore

_PEOPLE = bindparam("people", type_=Integer)
_THIS = requests.c.id == bindparam("this", type_=String)
_OTHERS_VOTE = (
    select(votes.c.id)
    .where(
        *COUNTS,
        votes.c.owner != bindparam("me", type_=String),
        votes.c.account_id != bindparam("my_account", type_=String),
        votes.c.method == bindparam("method", type_=String),
    )
    .exists()
)
_MAY = (
    _THIS,
    requests.c.version == bindparam("shown", type_=Integer),
    requests.c.amount == bindparam("asked", type_=requests.c.amount.type),
    requests.c.expires_at > bindparam("now", type_=requests.c.expires_at.type),
    requests.c.owner != bindparam("me", type_=String),
    requests.c.account_id != bindparam("my_account", type_=String),
    requests.c.tenant == bindparam("my_tenant", type_=String),
    select(links.c.owner)
    .where(
        links.c.owner == bindparam("me", type_=String),
        links.c.account_id == bindparam("my_account", type_=String),
        links.c.base_url == requests.c.base_url,
        links.c.organization_id == requests.c.organization_id,
        *IS_LIVE,
    )
    .exists(),
)
_PAY = (
    update(requests)
    .where(
        *_MAY,
        or_((requests.c.needed == ONE) & (_PEOPLE == ONE), _OTHERS_VOTE),
    )
    .values(
        state=RequestState.CHARGING.value,
        charge_id=bindparam("charge", type_=String),
        decided_by=bindparam("me", type_=String),
        decided_at=bindparam("now", type_=requests.c.expires_at.type),
        due_at=bindparam("next_due", type_=requests.c.due_at.type),
        wakes=requests.c.wakes + 1,
    )
    .returning(requests)
)
_PAY_OPEN = _PAY.where(IS_OPEN, requests.c.charge_id.is_(None))
_TAKE_OVER = _PAY.where(
    requests.c.state == RequestState.CHARGING.value,
    requests.c.charge_id == bindparam("other", type_=String),
)
_AGREE = (
    update(requests)
    .where(*_MAY, IS_OPEN, requests.c.charge_id.is_(None))
    .values(
        wakes=requests.c.wakes + 1,
        needed=case((requests.c.needed < _PEOPLE, _PEOPLE), else_=requests.c.needed),
    )
    .returning(requests)
)


class Deciding:
    """Decides, in the transaction of whoever confirms."""

    def __init__(
        self,
        database: Database,
        requests: RequestStore,
        policies: PolicyStore,
        line: TwoPeopleLine,
        budget_notes: BudgetNotes,
    ) -> None:
        self._database = database
        self.requests = requests
        self.line = line
        self.budget_notes = budget_notes
        self._policies = policies
        self._votes = requests.votes

    async def pay(
        self,
        transaction: Transaction,
        charge: Charge,
        memberships: Mapping[str, bool],
        *,
        instead_of: str | None = None,
    ) -> FundsRequest | None:
        """Have a charge, whose confirmation is in this transaction, pay its request.

        With `instead_of`, it takes over from that charge, which has ended in this transaction.
        `memberships` are the groups and channels of the payer that a policy names. Return None if any
        condition fails; then the transaction must not be committed.
        """
        demand = await self._allowed(transaction, charge, memberships)
        if demand is None:
            return None
        now = self._database.clock.now()
        facts = {
            "this": charge.request_id,
            "shown": charge.request_version,
            "asked": charge.amount,
            "now": now,
            "me": charge.identity.key,
            "my_account": charge.account_id,
            "my_tenant": charge.identity.tenant,
            "people": demand.people,
            "method": _method_of(charge),
            "charge": charge.id,
            "next_due": now + LOOK_AGAIN,
        }
        if instead_of is not None:
            facts["other"] = instead_of
        statement = _PAY_OPEN if instead_of is None else _TAKE_OVER
        row = (await transaction.execute(statement, facts)).one_or_none()
        if row is None:
            return None
        request = request_of(row)
        needs_vote = max(request.needed, demand.people) == TWO
        if needs_vote and await self.vote_for(transaction, charge) is None:
            return None  # the statement saw one that this app has not written
        await self.requests.changed(transaction, request, request.state.value, actor=charge.identity.key)
        await self.budget_notes.tell(transaction, request.key, demand.uses, request.amount)
        return request

    async def _allowed(
        self, transaction: Transaction, charge: Charge, memberships: Mapping[str, bool]
    ) -> Demand | None:
        """Return what the policies ask of this payment; None if they do not allow it."""
        if not self.requests.are_on:
            return None
        query = select(requests).where(_THIS)
        row = (await transaction.execute(query, {"this": charge.request_id})).one_or_none()
        if row is None:
            return None
        request = request_of(row)
        demand = await self.demand(transaction, request, charge.identity.user, memberships, holds=True)
        return demand if demand.is_listed and demand.takes(request.amount) else None

    async def demand(
        self,
        connection: Connection,
        request: FundsRequest,
        user: str,
        memberships: Mapping[str, bool],
        *,
        holds: bool = False,
    ) -> Demand:
        """Return what the policies since the request was filed ask of this person's decision.

        `holds`: in a transaction that decides.
        """
        found = await self._policies.since(connection, request.key, request.policy_version)
        before = await self.line.before(
            connection, _who(request), request.key, found, but=request.id, holds=holds
        )
        return Demand.of(found, request.amount, before=before, user=user, memberships=memberships)

    async def require_sending(self, charge: Charge, *, is_first: bool) -> None:
        """Check, just before a charge is sent, that it still pays its request, with enough people's yes.

        Without `is_first` it may have been sent already: to send it again only asks for its outcome.

        Raises:
            PortalRefusalError: REQUEST_ENDED, it does not pay its request any more; VOTE_LOST, the vote of
                the first of two does not count any more; NOT_VERIFIED, a policy is not what was stored.
            RuleError: TWO_PEOPLE, a purchase of one's own needs another person by now.
        """
        if charge.request_id is None:
            await self._require_alone(charge, is_first=is_first)
            return
        request = await self.requests.get(charge.request_id)
        if (
            request is None
            or request.state not in {RequestState.CHARGING, RequestState.UNRESOLVED}
            or request.charge_id != charge.id
        ):
            raise PortalRefusalError(RefusalCode.REQUEST_ENDED)
        if not is_first:
            return
        if any(policy.is_broken for policy in await self.policies_of(request)):
            raise PortalRefusalError(RefusalCode.NOT_VERIFIED)
        if request.needed == TWO and await self.first_vote(charge) is None:
            raise PortalRefusalError(RefusalCode.VOTE_LOST)

    async def _require_alone(self, charge: Charge, *, is_first: bool) -> None:
        if not is_first:
            return
        async with self._database.read() as connection:
            line = await self.line.reached_by(connection, charge)
        if line is not None:
            raise RuleError(Rule.TWO_PEOPLE, limit=line)

    async def vote_for(self, connection: Connection, charge: Charge) -> Vote | None:
        """Return another's vote that lets this charge pay its request; None if there is none."""
        found = await self._votes.counting(connection, charge.request_id or "")
        others = (
            each
            for each in found
            if each.person.key != charge.identity.key
            and each.account_id != charge.account_id
            and each.method == _method_of(charge)
        )
        return next(others, None)

    async def needs_two(self, charge: Charge) -> bool:
        """Tell whether a charge pays a request on which two people decide."""
        request = None if charge.request_id is None else await self.requests.get(charge.request_id)
        return request is not None and request.needed == TWO

    async def first_vote(self, charge: Charge) -> Vote | None:
        """Return the vote with which a charge pays its request; None if none counts now."""
        async with self._database.read() as connection:
            return await self.vote_for(connection, charge)

    async def policies_for(self, charge: Charge) -> Sequence[Policy]:
        """Return the policies that hold for the request that a charge pays."""
        request = await self.requests.get(charge.request_id or "")
        return () if request is None else await self.policies_of(request)

    async def allows_resuming(
        self, transaction: Transaction, charge: Charge, memberships: Mapping[str, bool]
    ) -> bool:
        """Tell whether the policies still let a charge pay its request, for which nothing was sent."""
        demand = await self._allowed(transaction, charge, memberships)
        if demand is None:
            return False
        request = await self.requests.read(transaction, charge.request_id or "")
        is_two = demand.people == TWO or (request is not None and request.needed == TWO)
        return not is_two or await self.vote_for(transaction, charge) is not None

    async def agree(
        self, request: FundsRequest, vote: Vote, memberships: Mapping[str, bool]
    ) -> FundsRequest | None:
        """Store the first vote of two, once; None if another has decided, or this person may not.

        If another's vote counts already, this person is who would pay, so theirs is not stored.
        """
        if not self.requests.are_on:
            return None
        async with self._database.transaction() as transaction:
            demand = await self.demand(transaction, request, vote.person.user, memberships, holds=True)
            if not demand.is_listed or not demand.takes(request.amount):
                return None
            facts = {
                "this": request.id,
                "shown": vote.version,
                "asked": request.amount,
                "now": transaction.now(),
                "me": vote.person.key,
                "my_account": vote.account_id,
                "my_tenant": vote.person.tenant,
                "people": demand.people,
            }
            row = (await transaction.execute(_AGREE, facts)).one_or_none()
            if row is None or await self._is_second(transaction, vote):
                return None
            mine = (votes.c.request_id == request.id, votes.c.account_id == vote.account_id)
            await void_votes(transaction, Voided.CARD, *mine)
            await self._votes.cast(transaction, vote)
            after = request_of(row)
            await self.requests.changed(transaction, after, "agreed", actor=vote.person.key)
            transaction.announce(requests)
        return after

    async def _is_second(self, transaction: Transaction, vote: Vote) -> bool:
        found = await self._votes.counting(transaction, vote.request_id)
        return any(each.account_id != vote.account_id and each.method == vote.method for each in found)

    async def policies_of(self, request: FundsRequest) -> Sequence[Policy]:
        """Return the policies that hold for a request: every one since it was filed."""
        async with self._database.read() as connection:
            return await self._policies.since(connection, request.key, request.policy_version)

    async def needs_more(self, request: FundsRequest, people: int) -> FundsRequest:
        """Store that a request needs so many people by now, as others were added for the same person."""
        if people <= request.needed:
            return request
        after = replace(request, needed=people)
        await self.requests.change(request, after, "policy", actor="app")
        return after

    async def tighten(
        self, transaction: Transaction, key: OrganizationKey, policy: Policy, life: timedelta
    ) -> None:
        """Have a new policy hold for open requests too, where it is stricter; `life` is the operator's."""
        row = requests.c
        rows = (await transaction.execute(select(requests).where(*of_organization(key), IS_OPEN))).all()
        for found in rows:
            before = request_of(found)
            added = await self.line.before(transaction, _who(before), key, (policy,), but=before.id)
            after = before.tightened(policy, added.day, life)
            values = {**difference(before, after), "due_at": after.due_at(), "wakes": row.wakes + 1}
            changed = update(requests).where(row.id == before.id, *as_seen(before)).values(**values)
            if (await transaction.execute(changed)).rowcount:
                await self.requests.changed(transaction, after, "policy", actor="app")
        if policy.approvers and not policy.sources:
            mine = select(requests.c.id).where(*of_organization(key), IS_OPEN)
            others = (
                votes.c.request_id.in_(mine),
                votes.c.kind == VoteKind.AGREED.value,
                votes.c.user.not_in(policy.approvers),
            )
            await void_votes(transaction, Voided.NOT_CONFIRMED, *others)
        transaction.announce(requests)

    async def tell_of_budgets(
        self, transaction: Transaction, key: OrganizationKey, before: Policy, after: Policy
    ) -> None:
        """Tell of budgets that a new policy sets or changes, as far as they are used already."""
        changed = [each for each in after.budgets if each != before.budget(each.name)]
        uses = await self.line.uses(transaction, key, after, changed)
        await self.budget_notes.tell_of_change(transaction, key, uses)

    async def void(self, why: Voided, *which: ColumnElement[bool]) -> None:
        """Void votes in a transaction of their own."""
        async with self._database.transaction() as transaction:
            await void_votes(transaction, why, *which)

    async def votes_on(self, request_id: str) -> Sequence[Vote]:
        """Return the votes that count for a request now, oldest first."""
        async with self._database.read() as connection:
            return await self._votes.counting(connection, request_id)

    async def first_of_two(self, request: FundsRequest) -> FirstOfTwo | None:
        """Return who was the first of two; None if one person decides."""
        if request.needed == ONE:
            return None
        async with self._database.read() as connection:
            counting = await self._votes.counting(connection, request.id)
            every = await self._votes.all_of(connection, request.id)
        current = [vote for vote in every if vote.version == request.version]
        return FirstOfTwo(
            vote=counting[0] if counting else None,
            lost=current[-1] if current and not counting else None,
        )

    async def all_votes(self, request_id: str) -> Sequence[Vote]:
        """Return every vote on a request, oldest first."""
        async with self._database.read() as connection:
            return await self._votes.all_of(connection, request_id)

    async def look(
        self, request: FundsRequest, user: str, memberships: Mapping[str, bool]
    ) -> tuple[Demand, Sequence[Vote]]:
        """Return what the policies ask of this person's decision now, and the votes that count."""
        async with self._database.read() as connection:
            demand = await self.demand(connection, request, user, memberships)
            return demand, await self._votes.counting(connection, request.id)


def _who(request: FundsRequest) -> Who:
    return Who(person=request.requester, account_id=request.account_id, channel=request.channel)


def _method_of(charge: Charge) -> str:
    return "" if charge.payment_method is None else method_key(charge.payment_method)
