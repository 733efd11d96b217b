"""Charges: the ledger, which is also the queue. Every state change is a compare-and-set."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from bot.domain.charge import Charge, ChargeKind, ChargeState, FailureReason, check_transition
from bot.domain.errors import RefusalCode
from bot.domain.identity import Identity
from bot.engine import LeaseLostError
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges, messages

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from bot.engine import Lease
    from bot.storage.database import Database

_FIELDS = tuple(field.name for field in fields(Charge) if field.name != "identity")


class ChargeStore:
    """Charges of everybody. Who may see which is decided by `owner` in each question."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.leases = LeaseStore(database, charges)

    async def add(self, charge: Charge, *, due_at: datetime) -> None:
        """Store a proposed charge; at `due_at` it is looked at, to expire it."""
        values = {name: getattr(charge, name) for name in _FIELDS}
        async with self._database.transaction() as connection:
            await connection.execute(
                insert(charges).values(
                    **values,
                    enterprise=charge.identity.enterprise,
                    team=charge.identity.team,
                    user=charge.identity.user,
                    owner=charge.identity.key,
                    due_at=due_at,
                )
            )

    async def get(self, charge_id: str, *, owner: str | None = None) -> Charge | None:
        """Return a charge; with `owner`, only if it is theirs."""
        query = select(charges).where(charges.c.id == charge_id)
        if owner is not None:
            query = query.where(charges.c.owner == owner)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _charge(row)

    async def of_owner(self, owner: str, *, limit: int, offset: int = 0) -> Sequence[Charge]:
        """Return the owner's charges that were confirmed, newest first."""
        query = (
            select(charges)
            .where(charges.c.owner == owner, charges.c.confirmed_at.is_not(None))
            .order_by(charges.c.created_at.desc())
            .limit(limit)
            .offset(offset)
        )
        async with self._database.transaction() as connection:
            return [_charge(row) for row in await connection.execute(query)]

    async def equal_in(
        self, owner: str, kind: ChargeKind, amount: Decimal, states: Collection[ChargeState]
    ) -> Charge | None:
        """Return the owner's newest charge of that kind and just that amount in one of the states."""
        query = (
            select(charges)
            .where(
                charges.c.owner == owner,
                charges.c.kind == kind.value,
                charges.c.amount == amount,
                charges.c.state.in_([state.value for state in states]),
            )
            .order_by(charges.c.created_at.desc())
            .limit(1)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _charge(row)

    async def confirm(
        self, charge_id: str, owner: str, *, now: datetime, view_id: str | None
    ) -> Charge | None:
        """Turn the owner's proposal into a confirmed charge with its message to come, once.

        Returns None when it is not a proposal of theirs (any more).
        """
        async with self._database.transaction() as connection:
            charge = await self._set(
                connection,
                charge_id,
                ChargeState.PROPOSED,
                ChargeState.CONFIRMED,
                [charges.c.owner == owner],
                {"confirmed_at": now, "due_at": now, "wakes": charges.c.wakes + 1},
            )
            if charge is not None:
                await connection.execute(insert(messages).values(id=charge_id, view_id=view_id, due_at=now))
        return charge

    async def cancel(self, charge_id: str, owner: str, *, now: datetime) -> Charge | None:
        """Turn the owner's proposal down, once; None when it is no proposal of theirs (any more)."""
        async with self._database.transaction() as connection:
            return await self._set(
                connection,
                charge_id,
                ChargeState.PROPOSED,
                ChargeState.CANCELLED,
                [charges.c.owner == owner],
                {"ended_at": now, "due_at": None},
            )

    async def move(self, lease: Lease, before: ChargeState, after: ChargeState, **values: object) -> Charge:
        """Change the state under a lease, and have its message told, in one transaction.

        Raises:
            LeaseLostError: the row is no longer in `before`, or no longer ours.
        """
        async with self._database.transaction() as connection:
            held = [charges.c.lease_token == lease.token]
            charge = await self._set(connection, lease.id, before, after, held, values)
            if charge is None:
                raise LeaseLostError(lease.id)
            await wake(connection, messages, lease.id, self._database.clock.now())
        return charge

    async def note(self, lease: Lease, *, tell: bool = False, **values: object) -> Charge:
        """Record facts under a lease without changing the state; `tell` brings the message up to date.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        statement = (
            update(charges)
            .where(charges.c.id == lease.id, charges.c.lease_token == lease.token)
            .values(**_wire(values))
            .returning(charges)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
            if row is None:
                raise LeaseLostError(lease.id)
            if tell:
                await wake(connection, messages, lease.id, self._database.clock.now())
        return _charge(row)

    async def ask_check(self, charge_id: str, *, now: datetime, view_id: str | None) -> None:
        """Have a charge asked about at once, and its message (and the modal) say so meanwhile."""
        async with self._database.transaction() as connection:
            await connection.execute(
                update(charges).where(charges.c.id == charge_id).values(check_asked_at=now)
            )
            await wake(connection, charges, charge_id, now)
            await wake(connection, messages, charge_id, now)
            await _watch(connection, charge_id, view_id)

    async def resume(
        self, charge_id: str, owner: str, *, now: datetime, view_id: str | None
    ) -> Charge | None:
        """Confirm a charge again that waited for the billing permission, once: same row, same key."""
        async with self._database.transaction() as connection:
            charge = await self._set(
                connection,
                charge_id,
                ChargeState.NEEDS_SCOPE,
                ChargeState.CONFIRMED,
                [charges.c.owner == owner],
                {"due_at": now, "wakes": charges.c.wakes + 1, "refusal": None},
            )
            if charge is not None:
                await wake(connection, messages, charge_id, now)
                await _watch(connection, charge_id, view_id)
        return charge

    async def _set(
        self,
        connection: AsyncConnection,
        charge_id: str,
        before: ChargeState,
        after: ChargeState,
        conditions: list[Any],
        values: dict[str, Any],
    ) -> Charge | None:
        check_transition(before, after)
        statement = (
            update(charges)
            .where(charges.c.id == charge_id, charges.c.state == before.value, *conditions)
            .values(state=after.value, **_wire(values))
            .returning(charges)
        )
        row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _charge(row)


async def _watch(connection: AsyncConnection, charge_id: str, view_id: str | None) -> None:
    """Have an open modal brought up to date with the charge's outcome."""
    if view_id is not None:
        await connection.execute(update(messages).where(messages.c.id == charge_id).values(view_id=view_id))


def _wire(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.value if isinstance(value, FailureReason | RefusalCode) else value
        for name, value in values.items()
    }


def _charge(row: Row[Any]) -> Charge:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["kind"] = ChargeKind(row.kind)
    values["state"] = ChargeState(row.state)
    values["failure"] = FailureReason(row.failure) if row.failure else None
    values["refusal"] = RefusalCode(row.refusal) if row.refusal else None
    return Charge(identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user), **values)
