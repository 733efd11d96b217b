"""The store of charges: find, list, and change under a lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, func, insert, literal_column, or_, select, update

from bot.domain.audit import Action
from bot.domain.charge import (
    OPEN,
    UNFINISHED,
    Charge,
    ChargeKind,
    ChargeState,
    IllegalTransitionError,
    check_transition,
)
from bot.domain.errors import ChargeNotFoundError, RefusalCode, SeveralChargesError
from bot.engine import LeaseLostError
from bot.storage.batch_loader import BatchLoader
from bot.storage.charges.rows import charge_of, difference, values_of
from bot.storage.deliveries import wake_delivery, watch_in_modal
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges
from bot.storage.watches import credit_watches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Executable, Row

    from bot.domain.request import FundsRequest, OrganizationKey, Withdrawal
    from bot.engine import Lease
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.requests.store import RequestStore

    Observe = Callable[[Charge], None]

LATELY = timedelta(days=7)
# Literals, because the partial indices of these states need them.
UNFINISHED_STATES: list[ColumnElement[str]] = [literal_column(f"'{state.value}'") for state in UNFINISHED]
# Built once, because building a statement takes longer than executing it. Values are bound per execution.
ONE = update(charges).where(charges.c.id == bindparam("this", type_=String))
NEXT = ONE.where(charges.c.state == bindparam("before", type_=String))
THEIRS = charges.c.owner == bindparam("owner_key", type_=String)
_OF_IDS = select(charges).where(charges.c.id.in_(bindparam("ids", expanding=True)))
_HELD = NEXT.where(charges.c.lease_token == bindparam("token", type_=String))
_SAVE = _HELD.returning(charges)
_CANCEL = NEXT.where(THEIRS).returning(charges)
_END_WAITING = (
    NEXT.where(charges.c.request_id.is_not(None)).values(wakes=charges.c.wakes + 1).returning(charges)
)


class ChargeStore:
    """The charges of all people. Queries for a person filter by `owner`; the worker sees all."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        requests: RequestStore,
        entered: Observe = lambda _charge: None,
    ) -> None:
        """`entered` is called with each charge that entered a state, after the commit."""
        self._database = database
        self._cipher = cipher
        self._requests = requests
        self._entered = entered
        self._by_id = BatchLoader(self._read)
        self.leases = LeaseStore(database, charges, _loaders)

    async def add(self, charge: Charge, *, due_at: datetime) -> Charge:
        """Store a proposed charge, and return it signed; at `due_at` it expires."""
        charge = replace(charge, offer_signature=self._cipher.sign(*charge.offer))
        async with self._database.autocommit() as connection:
            await connection.execute(insert(charges), {**values_of(charge), "due_at": due_at})
        self._entered(charge)
        return charge

    def is_agreed(self, charge: Charge) -> bool:
        """Tell whether the charge is what its owner has confirmed: both signatures are right."""
        return self._cipher.is_signed(charge.offer_signature, *charge.offer) and self._cipher.is_signed(
            charge.confirmation_signature, *charge.confirmation
        )

    async def get(self, charge_id: str, *, owner: str | None = None) -> Charge | None:
        """Return a charge; with `owner`, only if it belongs to this person."""
        charge = await self._by_id.get(charge_id)
        return None if charge is None or owner not in {None, charge.identity.key} else charge

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Charge]:
        async with self._database.read() as connection:
            rows = (await connection.execute(_OF_IDS, {"ids": ids})).all()
        return {row.id: charge_of(row) for row in rows}

    async def of_owner(self, owner: str, *, limit: int, offset: int = 0) -> Sequence[Charge]:
        """Return the owner's confirmed charges, newest first."""
        query = (
            select(charges)
            .where(charges.c.owner == owner, charges.c.confirmed_at.is_not(None))
            .order_by(charges.c.created_at.desc())
            .limit(limit)
            .offset(offset)
        )
        async with self._database.read() as connection:
            return [charge_of(row) for row in await connection.execute(query)]

    async def find(self, owner: str | None, beginning: str) -> Charge:
        """Return the charge whose id, or the portal's, begins so; an exact match wins.

        With `owner`, only this person's count.

        Raises:
            ChargeNotFoundError: there is none.
            SeveralChargesError: there is more than one.
        """
        row = charges.c
        ids = (row.id, row.portal_charge_id)
        theirs = [] if owner is None else [row.owner == owner]
        exact = select(charges).where(or_(*(each == beginning for each in ids)), *theirs).limit(2)
        begins = (
            select(charges)
            .where(or_(*(each.startswith(beginning, autoescape=True) for each in ids)), *theirs)
            .limit(2)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(exact)).all() or (await connection.execute(begins)).all()
        if not found:
            raise ChargeNotFoundError
        if len(found) > 1:
            raise SeveralChargesError
        return charge_of(found[0])

    async def recent_upgrade(self, owner: str, *, since: datetime) -> Charge | None:
        """Return the owner's latest upgrade that was paid since then."""
        row = charges.c
        query = (
            select(charges)
            .where(
                row.owner == owner,
                row.created_at > since - LATELY,
                row.kind == ChargeKind.UPGRADE.value,
                row.state == ChargeState.SETTLED.value,
                row.ended_at > since,
            )
            .order_by(row.ended_at.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).one_or_none()
        return None if found is None else charge_of(found)

    async def unfinished(self) -> dict[str, tuple[int, datetime]]:
        """Return for each state the number of unfinished charges, and the oldest confirmation (UTC)."""
        row = charges.c
        query = (
            select(row.state, func.count(), func.min(row.confirmed_at, type_=row.confirmed_at.type))
            .where(row.state.in_(UNFINISHED_STATES))
            .group_by(row.state)
        )
        async with self._database.read() as connection:
            return {state: (count, since) for state, count, since in await connection.execute(query)}

    async def save(self, lease: Lease[Charge], before: Charge, after: Charge) -> Charge:
        """Write the changes under a lease; return the charge as it is stored now.

        If there is news for the person, the delivery is woken in the same transaction; the request that the
        charge pays moves with it. A charge in a final state is released in the same transaction.

        Raises:
            LeaseLostError: the row is no longer in `before`'s state, or another run holds it.
            IllegalTransitionError: the step is not allowed, or only a person can take it.
        """
        moves = before.state is not after.state
        if moves:
            check_transition(before.state, after.state)
        if moves and after.state is ChargeState.CONFIRMED:
            raise IllegalTransitionError("only a person confirms")
        facts = {"this": lease.id, "token": lease.token, "before": before.state.value}
        changes = {**difference(before, after), "state": after.state.value}
        if after.is_terminal:
            facts |= self.leases.when_given_back(lease.claim, None)
        statement = self._save_and_give_back if after.is_terminal else _SAVE
        async with self._database.transaction() as transaction:
            row = (await transaction.execute(statement, {**changes, **facts})).one_or_none()
            if row is None:
                raise LeaseLostError(lease.id)
            saved = charge_of(row)
            if moves:
                await record_charge(transaction, saved)
            if _is_news(before, after):
                await wake_delivery(transaction, lease.id)
            request = await self._followed(transaction, saved) if moves else None
        if moves:
            self._entered(saved)
        if request is not None:
            self._requests.entered(request)
        return saved

    async def _followed(self, transaction: Transaction, charge: Charge) -> FundsRequest | None:
        """Have watch and request follow a charge; return the request if it entered another state."""
        if charge.state is ChargeState.SETTLED and charge.kind is ChargeKind.TOP_UP:
            await credit_watches(transaction, self._database.backend, charge)
        return None if charge.request_id is None else await self._requests.follow(transaction, charge)

    @cached_property
    def _save_and_give_back(self) -> Executable:
        return _HELD.values(**self.leases.given_back).returning(charges)

    async def cancel(self, charge_id: str, owner: str, *, now: datetime) -> Charge | None:
        """Cancel the owner's proposal, once; None if the owner has no such proposal (any more)."""
        facts = {
            "this": charge_id,
            "owner_key": owner,
            "before": ChargeState.PROPOSED.value,
            "state": ChargeState.CANCELLED.value,
            "ended_at": now,
            "due_at": None,
        }
        async with self._database.transaction() as transaction:
            row = (await transaction.execute(_CANCEL, facts)).one_or_none()
            if row is None:
                return None
            cancelled = charge_of(row)
            await record_charge(transaction, cancelled)
        self._entered(cancelled)
        return cancelled

    async def withdraw_waiting(self, request: FundsRequest, why: Withdrawal) -> FundsRequest | None:
        """Withdraw a request together with its charge, if that waits for the billing permission.

        Return the request as it is then; None if the charge does not wait.
        """
        async with self._database.transaction() as transaction:
            ended = await end_waiting(transaction, request.charge_id or "", RefusalCode.REQUEST_ENDED)
            if ended is None:
                return None
            withdrawn = await self._requests.withdraw_with(transaction, request, why)
        self._entered(ended)
        self._requests.entered(withdrawn)
        return withdrawn

    async def leave_to_others(self, charge_id: str, owner: str) -> Charge | None:
        """End the owner's charge that waits for the billing permission, so that others may pay its request.

        Return it; None if it does not wait (any more).
        """
        async with self._database.transaction() as transaction:
            ended = await end_waiting(transaction, charge_id, RefusalCode.LEFT_TO_OTHERS, owner=owner)
            if ended is None:
                return None
            reopened = await self._requests.follow(transaction, ended)
        self._entered(ended)
        if reopened is not None:
            self._requests.entered(reopened)
        return ended

    async def of_organization(self, key: OrganizationKey, *, since: datetime) -> Sequence[Charge]:
        """Return the organization's charges that are under way, or were confirmed since then and paid."""
        row = charges.c
        theirs = (
            row.organization_id == key.organization_id,
            row.owner.startswith(f"{key.tenant}:", autoescape=True),
        )
        under_way = select(charges).where(*theirs, row.state.in_(UNFINISHED_STATES))
        young = select(charges).where(
            *theirs,
            row.owner != literal_column("'forgotten'"),
            row.created_at > since - LATELY,
            row.confirmed_at > since,
            row.state == ChargeState.SETTLED.value,
        )
        async with self._database.read() as connection:
            found = [row for query in (under_way, young) for row in await connection.execute(query)]
        return [charge_of(each) for each in sorted(found, key=lambda each: each.confirmed_at, reverse=True)]

    async def ask_check(self, charge_id: str, *, now: datetime, view_id: str | None) -> None:
        """Have a charge checked now, and show that in its message and in the modal."""
        async with self._database.transaction() as transaction:
            await transaction.execute(ONE, {"this": charge_id, "check_asked_at": now})
            await wake(transaction, charges, charge_id)
            await wake_delivery(transaction, charge_id)
            await watch_in_modal(transaction, charge_id, view_id)

    async def look_again(self, owner: str, *, within: Transaction) -> None:
        """Have the owner's open charges checked now, because the app has access again."""
        waiting = select(charges.c.id).where(
            charges.c.owner == owner, charges.c.state.in_([state.value for state in OPEN])
        )
        for charge_id in (await within.execute(waiting)).scalars().all():
            await wake(within, charges, charge_id)


async def end_waiting(
    transaction: Transaction,
    charge_id: str,
    code: RefusalCode,
    *,
    owner: str | None = None,
    confirmed_before: datetime | None = None,
) -> Charge | None:
    """End a charge for a request, for which nothing was sent: it waits for the billing permission.

    With `owner`, only this person's; with `confirmed_before`, only one that was confirmed before then.
    Return it as it is then; None if there is no such charge.
    """
    # One of a restored copy may have been sent after the copy was made.
    conditions: list[ColumnElement[bool]] = [charges.c.ambiguous_since.is_(None)]
    if owner is not None:
        conditions.append(charges.c.owner == owner)
    if confirmed_before is not None:
        conditions.append(charges.c.confirmed_at < confirmed_before)
    facts = {
        "this": charge_id,
        "before": ChargeState.NEEDS_SCOPE.value,
        "state": ChargeState.REFUSED.value,
        "refusal": code.value,
        "permitted_at": None,
        "ended_at": transaction.now(),
        "due_at": None,
    }
    row = (await transaction.execute(_END_WAITING.where(*conditions), facts)).one_or_none()
    if row is None:
        return None
    ended = charge_of(row)
    await record_charge(transaction, ended)
    await wake_delivery(transaction, ended.id)
    return ended


async def _loaders(rows: Sequence[Row[Any]]) -> dict[str, Callable[[], Charge]]:
    return {row.id: partial(charge_of, row) for row in rows}


def _is_news(before: Charge, after: Charge) -> bool:
    """Tell whether the person sees a change; while the charge is in progress, there is none."""
    return (before.has_news or after.has_news) and not before.reads_like(after)


async def record_charge(transaction: Transaction, charge: Charge) -> None:
    """Record in the audit log that a charge has entered its state."""
    await transaction.record(
        Action.CHARGE,
        actor=charge.identity.key,
        subject=charge.id,
        result=charge.state.value,
        facts={
            "kind": charge.kind.value,
            "amount": charge.amount,
            "settled": charge.settled_amount,
            "organisation": charge.organization_id,
            "portal_charge": charge.portal_charge_id,
            "failure": charge.failure and charge.failure.value,
            "refusal": charge.refusal and charge.refusal.value,
        },
    )
