"""Device grants in progress. Codes, tokens and the response_url are sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, literal, select, update

from bot.domain.audit import Action
from bot.domain.grant import NOT_CONNECTED, DeviceGrant, GrantState
from bot.domain.identity import Identity
from bot.engine import LeaseLostError
from bot.storage.audit import record
from bot.storage.database import announce
from bot.storage.leases import LeaseStore
from bot.storage.tables import device_grants

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Update

    from bot.engine import Lease
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection
    from bot.storage.database import Database


_GOING_ON = (GrantState.PENDING.value, GrantState.GRANTED.value)
_SUPERSEDED = {
    "state": GrantState.SUPERSEDED.value,
    "due_at": None,
    "sealed_codes": None,
    "sealed_tokens": None,
}


class DeviceGrantStore:
    """Device grants of everybody."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self.leases = LeaseStore(database, device_grants)

    async def start(self, grant: DeviceGrant, *, due_at: datetime) -> None:
        """Store a new grant; the person's former pending ones are superseded, silently.

        A person's starts take turns, so that of two at once one is left.
        """
        row = device_grants.c
        async with self._database.transaction() as connection:
            await connection.execute(select(self._database.turn(literal(grant.identity.key))))
            await connection.execute(
                update(device_grants)
                .where(row.owner == grant.identity.key, row.state.in_(_GOING_ON))
                .values(**_SUPERSEDED, wakes=row.wakes + 1)
            )
            await connection.execute(
                insert(device_grants).values(
                    id=grant.id,
                    enterprise=grant.identity.enterprise,
                    team=grant.identity.team,
                    user=grant.identity.user,
                    owner=grant.identity.key,
                    state=grant.state.value,
                    base_url=grant.base_url,
                    asked_scope=grant.asked_scope,
                    wanted=grant.wanted,
                    interval_seconds=grant.interval_seconds,
                    expires_at=grant.expires_at,
                    created_at=grant.created_at,
                    sealed_codes=self._cipher.seal(grant.identity.key, grant.codes),
                    due_at=due_at,
                )
            )

    async def get(self, grant_id: str) -> DeviceGrant | None:
        """Return a grant."""
        query = select(device_grants).where(device_grants.c.id == grant_id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else self._grant(row)

    async def going_on(self, identity: Identity) -> list[DeviceGrant]:
        """Return the person's grants that are not decided yet."""
        row = device_grants.c
        query = select(device_grants).where(row.owner == identity.key, row.state.in_(_GOING_ON))
        async with self._database.transaction() as connection:
            return [self._grant(found) for found in await connection.execute(query)]

    async def schedule(
        self, grant: DeviceGrant, due_at: datetime, *, codes: dict[str, Any] | None = None
    ) -> bool:
        """Have a grant looked at then, if it is not decided; `codes` take the place of its own.

        Tells whether it is going on.
        """
        row = device_grants.c
        values: dict[str, Any] = {"due_at": due_at}
        if codes is not None:
            values["sealed_codes"] = self._cipher.seal(grant.identity.key, codes)
        async with self._database.transaction() as connection:
            stored = await connection.execute(
                update(device_grants).where(row.id == grant.id, row.state.in_(_GOING_ON)).values(**values)
            )
            announce(connection, device_grants)
        return bool(stored.rowcount)

    async def store_codes(self, lease: Lease, grant: DeviceGrant, codes: dict[str, Any]) -> None:
        """Store codes in place of the grant's own, under a lease.

        Raises:
            LeaseLostError: the row is no longer in the grant's state, or no longer ours.
        """
        row = device_grants.c
        statement = (
            update(device_grants)
            .where(row.id == lease.id, row.state == grant.state.value, row.lease_token == lease.token)
            .values(sealed_codes=self._cipher.seal(grant.identity.key, codes))
        )
        async with self._database.transaction() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise LeaseLostError(lease.id)

    async def cancel_pending(self, identity: Identity) -> bool:
        """Drop the person's grants that are still going on, codes and tokens included; tell if any."""
        return await self._drop(device_grants.c.owner == identity.key)

    async def cancel_all(self, *, enterprise: str, teams: Collection[str], but: Collection[str]) -> None:
        """Do so for everybody in these workspaces; without any, in the enterprise's, `but` some."""
        row = device_grants.c
        of = row.team.in_(teams) if teams else row.enterprise == enterprise
        await self._drop(and_(of, row.team.not_in(but)))

    async def _drop(self, of: ColumnElement[bool]) -> bool:
        row = device_grants.c
        async with self._database.transaction() as connection:
            dropped = await connection.execute(
                update(device_grants)
                .where(of, row.state.in_(_GOING_ON))
                .values(**_SUPERSEDED, wakes=row.wakes + 1)
            )
        return bool(dropped.rowcount)

    async def delete_decided(self, *, before: datetime) -> None:
        """Delete the grants from before then that are decided, and whose outcome needs no telling."""
        row = device_grants.c
        async with self._database.transaction() as connection:
            await connection.execute(
                delete(device_grants).where(
                    row.created_at < before, row.due_at.is_(None), row.state.not_in(_GOING_ON)
                )
            )

    async def move(
        self,
        lease: Lease,
        grant: DeviceGrant,
        after: GrantState,
        *,
        tokens: dict[str, Any] | None = None,
        forget_tokens: bool = False,
        within: Connection | None = None,
    ) -> None:
        """Change the state under a lease.

        Raises:
            LeaseLostError: the row is no longer in the grant's state, or no longer ours.
        """
        values: dict[str, Any] = {"state": after.value}
        if tokens is not None:
            values["sealed_tokens"] = self._cipher.seal(grant.identity.key, tokens)
        if forget_tokens:
            values["sealed_tokens"] = None
        statement = (
            update(device_grants)
            .where(
                device_grants.c.id == lease.id,
                device_grants.c.state == grant.state.value,
                device_grants.c.lease_token == lease.token,
            )
            .values(**values)
        )
        if within is not None:
            await self._moved(within, statement, grant, after)
        else:
            async with self._database.transaction() as connection:
                await self._moved(connection, statement, grant, after)

    async def _moved(
        self, connection: Connection, statement: Update, grant: DeviceGrant, after: GrantState
    ) -> None:
        if not (await connection.execute(statement)).rowcount:
            raise LeaseLostError(grant.id)
        if after in NOT_CONNECTED:
            owner, now = grant.identity.key, self._database.clock.now()
            await record(connection, now, Action.CONNECT, actor=owner, subject=owner, result=after.value)

    async def note(self, lease: Lease, **values: object) -> None:
        """Record facts under a lease.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        statement = (
            update(device_grants)
            .where(device_grants.c.id == lease.id, device_grants.c.lease_token == lease.token)
            .values(**values)
        )
        async with self._database.transaction() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise LeaseLostError(lease.id)

    def _grant(self, row: Row[Any]) -> DeviceGrant:
        return DeviceGrant(
            id=row.id,
            identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
            state=GrantState(row.state),
            base_url=row.base_url,
            asked_scope=row.asked_scope,
            wanted=row.wanted,
            interval_seconds=row.interval_seconds,
            expires_at=row.expires_at,
            created_at=row.created_at,
            codes=self._cipher.open(row.owner, row.sealed_codes) if row.sealed_codes else {},
            tokens=self._cipher.open(row.owner, row.sealed_tokens) if row.sealed_tokens else None,
            told_at=row.told_at,
        )
