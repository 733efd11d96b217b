"""Requests for funds: filed once, changed by whoever comes first, and moved with the charges that pay them.

Who decides is in `bot.storage.requests.deciding`.

A transaction locks charges before requests.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, func, literal, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.charge import ChargeState
from bot.domain.delivery import Delivery
from bot.domain.request import (
    MOST_A_DAY,
    MOST_OPEN,
    MOST_OPEN_OF_ORGANIZATION,
    FundsRequest,
    OrganizationKey,
    RequestState,
    Withdrawal,
    check_step,
)
from bot.domain.request_errors import AskedAlreadyError, TooMany, TooManyRequestsError
from bot.domain.vote import Voided
from bot.engine import LeaseLostError
from bot.storage.deliveries import wake_subject
from bot.storage.leases import LeaseStore
from bot.storage.requests.asked_before import equal_going_on, filed_by_form, unseen
from bot.storage.requests.leaving import is_connected
from bot.storage.requests.rows import (
    IS_GOING_ON,
    IS_OPEN,
    REQUEST,
    as_seen,
    difference,
    of_organization,
    record_request,
    request_of,
    values_of,
)
from bot.storage.requests.votes import void_votes
from bot.storage.tables import deliveries, requests
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from bot.domain.charge import Charge
    from bot.domain.deciding import Obstacle
    from bot.domain.identity import Identity
    from bot.domain.vote import Vote
    from bot.engine import Lease
    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.requests.votes import Votes

    Observe = Callable[[FundsRequest], None]

DAY = timedelta(hours=24)
_THIS = requests.c.id == bindparam("this", type_=String)


class RequestStore:
    """The requests of all people."""

    def __init__(
        self,
        database: Database,
        deliveries: DeliveryStore,
        votes: Votes,
        entered: Observe = lambda _request: None,
        refused: Callable[[Obstacle], None] = lambda _why: None,
        *,
        are_on: bool = True,
    ) -> None:
        """`entered` is called with each request that entered a state, after the commit.

        `refused` is called with the reason for which a decision did not count. Without `are_on` nothing is
        paid, and what would be open again is withdrawn.
        """
        self.are_on = are_on
        self._count_refused = refused
        self._database = database
        self._deliveries = deliveries
        self.votes = votes
        self.entered = entered
        self.leases = LeaseStore(database, requests, _loaders)

    async def get(self, request_id: str, *, tenant: str | None = None) -> FundsRequest | None:
        """Return a request; with `tenant`, only if it belongs to this workspace or grid."""
        async with self._database.read() as connection:
            found = await self.read(connection, request_id)
        return None if found is None or tenant not in {None, found.key.tenant} else found

    async def read(self, connection: Connection, request_id: str) -> FundsRequest | None:
        """Return a request; None if there is none with this id."""
        row = (await connection.execute(select(requests).where(_THIS), {"this": request_id})).first()
        return None if row is None else request_of(row)

    # Asking.

    async def file(
        self, request: FundsRequest, readers: Sequence[Delivery], vote: Vote | None = None
    ) -> FundsRequest:
        """Store a new request with its messages, once, if there are not too many; return what is stored.

        `vote` is the requester's own yes, if they may charge and two people decide.

        Raises:
            AskedAlreadyError: the same person has an equal one that is going on, or one of this id is of
                another amount.
            TooManyRequestsError: the person, or the organization, has too many.
        """
        async with self._database.transaction() as transaction:
            await self._take_turns(transaction, request)
            filed = await filed_by_form(transaction, request)
            if filed is not None:
                return filed
            await self._require_room(transaction, request)
            statement = self._database.backend.insert(requests).values(**values_of(request))
            stored = await transaction.execute(statement.on_conflict_do_nothing())
            if not stored.rowcount:
                raise AskedAlreadyError(await equal_going_on(transaction, request) or request)
            await record_request(transaction, request, "asked", actor=request.requester.key)
            if vote is not None:
                await self.votes.cast(transaction, vote)
            for reader in readers:
                await self._deliveries.add(transaction, reader)
            transaction.announce(requests)
        self.entered(request)
        return request

    async def _take_turns(self, transaction: Transaction, request: FundsRequest) -> None:
        """Have the requests of one organization filed one at a time."""
        key = request.key
        turn = literal(f"requests:{key.tenant}:{key.organization_id}", String).label("name")
        await transaction.execute(select(self._database.backend.take_turns(select(turn))))

    async def _require_room(self, transaction: Transaction, request: FundsRequest) -> None:
        """Check the numbers of requests."""
        key = request.key
        row = requests.c
        going_on = (
            await transaction.execute(select(requests).where(*of_organization(key), IS_GOING_ON))
        ).all()
        own = [each for each in going_on if each.owner == request.requester.key]
        equal = next((each for each in own if each.amount == request.amount), None)
        equal = equal or (await transaction.execute(unseen(request, transaction.now()))).first()
        if equal is not None:
            raise AskedAlreadyError(request_of(equal))
        if len([each for each in own if each.state == RequestState.OPEN.value]) >= MOST_OPEN:
            raise TooManyRequestsError(TooMany.OWN)
        waiting = [each for each in going_on if each.state != RequestState.UNRESOLVED.value]
        if len(waiting) >= MOST_OPEN_OF_ORGANIZATION:
            raise TooManyRequestsError(TooMany.ORGANIZATION)
        since = transaction.now() - DAY
        today = select(func.count()).where(row.owner == request.requester.key, row.asked_at > since)
        if (await transaction.scalar(today) or 0) >= MOST_A_DAY:
            raise TooManyRequestsError(TooMany.DAY)

    # Changing, by whoever comes first.

    async def change(
        self,
        before: FundsRequest,
        after: FundsRequest,
        result: str,
        *,
        actor: str,
        vote: Vote | None = None,
    ) -> bool:
        """Write a person's change if the request is open as they saw it; return False if it is not.

        A new version voids the votes; `vote` is the requester's own yes to it.

        Raises:
            AskedAlreadyError: it would be equal to another one of the same person.
        """
        statement = (
            update(requests)
            .where(_THIS, *as_seen(before), requests.c.expires_at > self._database.clock.now())
            .values(**difference(before, after), wakes=requests.c.wakes + 1)
        )
        if after.is_over:
            statement = statement.values(due_at=None)
        try:
            async with self._database.transaction() as transaction:
                if not (await transaction.execute(statement, {"this": before.id})).rowcount:
                    return False
                if after.version != before.version:
                    await void_votes(transaction, Voided.EDITED, votes.c.request_id == before.id)
                if vote is not None:
                    await self.votes.cast(transaction, vote)
                await self.changed(transaction, after, result, actor=actor)
        except IntegrityError as error:
            async with self._database.read() as connection:
                raise AskedAlreadyError(await equal_going_on(connection, after) or before) from error
        if after.state is not before.state:
            self.entered(after)
        return True

    async def refused(self, request: FundsRequest, why: Obstacle, *, actor: str) -> None:
        """Record that a person's decision did not count."""
        async with self._database.transaction() as transaction:
            await record_request(transaction, request, f"refused-{why.value}", actor=actor)
        self._count_refused(why)

    async def charge_of(self, transaction: Transaction, request_id: str) -> str | None:
        """Return the charge that is to pay a request; None if none is."""
        query = select(requests.c.charge_id).where(_THIS)
        found: str | None = (await transaction.execute(query, {"this": request_id})).scalar_one_or_none()
        return found

    async def follow(self, transaction: Transaction, charge: Charge) -> FundsRequest | None:
        """Move the request of a charge that has entered its state, in the same transaction.

        Return the request if it entered another state. A request that another charge pays is left alone.
        """
        found = select(requests).where(_THIS, requests.c.charge_id == charge.id)
        query = self._database.backend.locked(found)
        row = (await transaction.execute(query, {"this": charge.request_id})).one_or_none()
        if row is None or (before := request_of(row)).is_over:
            return None
        now = self._database.clock.now()
        after = before.followed(charge, now)
        if after.state is RequestState.OPEN:
            after = await self._still_open(transaction, before, after)
        # Of a charge that the portal has accepted, the cards say the same as before.
        is_same = charge.state is ChargeState.SUBMITTED and charge.ambiguous_since is None
        if after.state is not before.state or not is_same:
            await self._write(transaction, before, after)
        return after if after.state is not before.state else None

    async def _still_open(
        self, transaction: Transaction, before: FundsRequest, after: FundsRequest
    ) -> FundsRequest:
        """Return a request that is to be open again; withdrawn if nobody may ask for it any more."""
        now = self._database.clock.now()
        if not self.are_on:
            return before.withdrawn(Withdrawal.SWITCHED_OFF, now)
        if not await is_connected(transaction, after):
            return before.withdrawn(Withdrawal.LEFT, now)
        return after

    async def catch_up(self, charge: Charge) -> bool:
        """Move the request of a charge whose process did not; return False if there was nothing to do."""
        async with self._database.transaction() as transaction:
            moved = await self.follow(transaction, charge)
        if moved is not None:
            self.entered(moved)
        return moved is not None

    async def withdraw_with(
        self, transaction: Transaction, request: FundsRequest, why: Withdrawal
    ) -> FundsRequest:
        """Withdraw a request together with its charge, for which nothing was sent."""
        after = request.withdrawn(why, self._database.clock.now())
        await self._write(transaction, request, after)
        return after

    async def _write(self, transaction: Transaction, before: FundsRequest, after: FundsRequest) -> None:
        """Write a locked row, and have the messages drawn again."""
        if after.state is before.state:
            await wake_subject(transaction, REQUEST, before.id)
            return
        check_step(before.state, after.state)
        due_at = after.due_at() if after.state is RequestState.OPEN else None
        values = {**difference(before, after), "due_at": due_at, "wakes": requests.c.wakes + 1}
        await transaction.execute(update(requests).where(_THIS).values(**values), {"this": before.id})
        result = "reopened" if after.state is RequestState.OPEN else after.state.value
        await self.changed(transaction, after, result, actor="app")
        transaction.announce(requests)

    async def save(
        self,
        lease: Lease[FundsRequest],
        before: FundsRequest,
        after: FundsRequest,
        result: str,
        *,
        tell: Sequence[Identity] = (),
    ) -> None:
        """Write what time has brought, under a lease; `tell` are new readers.

        Raises:
            LeaseLostError: somebody else was faster, or another run holds the row.
        """
        if after.state is not before.state:
            check_step(before.state, after.state)
        statement = (
            update(requests)
            .where(_THIS, *as_seen(before), requests.c.lease_token == lease.token)
            .values(**difference(before, after))
        )
        async with self._database.transaction() as transaction:
            if not (await transaction.execute(statement, {"this": before.id})).rowcount:
                raise LeaseLostError(lease.id)
            for reader in tell:
                await self.tell(transaction, before.id, reader)
            await self.changed(transaction, after, result, actor="app")
        if after.state is not before.state:
            self.entered(after)

    async def changed(
        self, transaction: Transaction, request: FundsRequest, result: str, *, actor: str
    ) -> None:
        """Record an event of a request, and have its messages drawn again."""
        await record_request(transaction, request, result, actor=actor)
        await wake_subject(transaction, REQUEST, request.id)

    async def wake_open(self) -> None:
        """Have every open request looked at now."""
        async with self._database.transaction() as transaction:
            values = {"due_at": transaction.now(), "wakes": requests.c.wakes + 1}
            await transaction.execute(update(requests).where(IS_OPEN).values(**values))
            transaction.announce(requests)

    async def unfinished(self) -> dict[str, tuple[int, datetime]]:
        """Return for each state the number of requests that go on, and the oldest one's time (UTC)."""
        row = requests.c
        query = (
            select(row.state, func.count(), func.min(row.asked_at, type_=row.asked_at.type))
            .where(IS_GOING_ON)
            .group_by(row.state)
        )
        async with self._database.read() as connection:
            return {state: (count, since) for state, count, since in await connection.execute(query)}

    async def tell(self, transaction: Transaction, request_id: str, reader: Identity) -> None:
        """Store the message of another reader, if they have none yet."""
        await self._deliveries.add(transaction, message_for(request_id, reader, transaction.now()))

    async def draw_again_for(
        self, transaction: Transaction, key: OrganizationKey, reader: Identity
    ) -> None:
        """Have a reader's cards of an organization's open requests drawn again."""
        row = deliveries.c
        mine = select(requests.c.id).where(*of_organization(key), IS_OPEN)
        again = update(deliveries).where(
            row.subject_kind == REQUEST, row.subject_id.in_(mine), row.owner == reader.key
        )
        await transaction.execute(again.values(due_at=transaction.now(), wakes=row.wakes + 1))
        transaction.announce(deliveries)


def message_for(request_id: str, reader: Identity, now: datetime) -> Delivery:
    """Return a new message about a request to one reader; each reader has one."""
    return Delivery(
        id=secrets.token_hex(16),
        subject_kind=REQUEST,
        subject_id=request_id,
        recipient=reader,
        created_at=now,
    )


def message_in(request: FundsRequest, channel: str, now: datetime) -> Delivery:
    """Return a new message about a request to a channel, which has its reader's place."""
    reader = replace(request.requester, user=channel)
    return replace(message_for(request.id, reader, now), channel=channel)


async def _loaders(rows: Sequence[Row[Any]]) -> dict[str, Callable[[], FundsRequest]]:
    return {row.id: partial(request_of, row) for row in rows}
