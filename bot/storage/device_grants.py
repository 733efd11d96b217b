"""The store of device grants. Codes and tokens are encrypted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import String, and_, insert, literal, select, update

from bot.domain.audit import Action
from bot.domain.delivery import Delivery
from bot.domain.grant import (
    NOT_CONNECTED,
    DeviceCodes,
    DeviceGrant,
    GrantedTokens,
    GrantState,
    purpose_from_text,
)
from bot.domain.identity import Identity
from bot.engine import LeaseLostError, Released
from bot.storage.cipher import SealBrokenError
from bot.storage.leases import LeaseStore
from bot.storage.tables import device_grants

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Update

    from bot.engine import Lease
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore

DEVICE_GRANT = "device_grant"
T = TypeVar("T")

log = structlog.get_logger(__name__)
_GOING_ON = (GrantState.PENDING.value, GrantState.GRANTED.value)
_SUPERSEDED = {
    "state": GrantState.SUPERSEDED.value,
    "due_at": None,
    "sealed_codes": None,
    "sealed_tokens": None,
}


class DeviceGrantStore:
    """The device grants of all people."""

    def __init__(self, database: Database, cipher: Cipher, deliveries: DeliveryStore) -> None:
        self._database = database
        self._cipher = cipher
        self._deliveries = deliveries
        self.leases = LeaseStore(database, device_grants, self._loaders)

    async def start(self, grant: DeviceGrant, *, due_at: datetime) -> list[DeviceGrant]:
        """Store a new grant; return the person's former grants that it supersedes, as they were.

        A person's starts run one at a time, so that only the last of two grants stays valid.
        """
        identity = grant.identity
        async with self._database.transaction() as transaction:
            name = select(literal(f"owner:{identity.key}", String))
            await transaction.execute(select(self._database.backend.take_turns(name)))
            superseded = await self._drop(transaction, device_grants.c.owner == identity.key)
            await transaction.execute(
                insert(device_grants).values(
                    id=grant.id,
                    enterprise=identity.enterprise,
                    team=identity.team,
                    user=identity.user,
                    owner=identity.key,
                    state=grant.state.value,
                    base_url=grant.base_url,
                    asked_scope=grant.asked_scope,
                    purpose=grant.purpose and grant.purpose.to_text(),
                    interval_seconds=grant.interval_seconds,
                    expires_at=grant.expires_at,
                    created_at=grant.created_at,
                    sealed_codes=self._sealed(grant, grant.codes),
                    due_at=due_at,
                )
            )
        return superseded

    async def get(self, grant_id: str) -> DeviceGrant | None:
        """Return a grant; None if there is no such grant."""
        query = select(device_grants).where(device_grants.c.id == grant_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else self._grant(row)

    async def going_on(self, identity: Identity) -> list[DeviceGrant]:
        """Return the person's undecided grants."""
        row = device_grants.c
        query = select(device_grants).where(row.owner == identity.key, row.state.in_(_GOING_ON))
        async with self._database.read() as connection:
            return [self._grant(found) for found in await connection.execute(query)]

    async def schedule(
        self, grant: DeviceGrant, due_at: datetime, *, codes: DeviceCodes | None = None
    ) -> bool:
        """Set when a grant is due, and its `codes` if given; return False if it is decided."""
        row = device_grants.c
        values: dict[str, Any] = {"due_at": due_at}
        if codes is not None:
            values["sealed_codes"] = self._sealed(grant, codes)
        async with self._database.transaction() as transaction:
            stored = await transaction.execute(
                update(device_grants).where(row.id == grant.id, row.state.in_(_GOING_ON)).values(**values)
            )
            transaction.announce(device_grants)
        return bool(stored.rowcount)

    async def save(
        self,
        lease: Lease[DeviceGrant],
        before: DeviceGrant,
        after: DeviceGrant,
        *,
        within: Transaction | None = None,
    ) -> DeviceGrant:
        """Write the changes under a lease; return the grant `after`.

        Raises:
            LeaseLostError: the row is no longer in `before`'s state, or another run holds it.
        """
        if within is not None:
            await self._save(within, lease, before, after)
        else:
            async with self._database.transaction() as transaction:
                await self._save(transaction, lease, before, after)
        return after

    async def notify_waiting(self, lease: Lease[DeviceGrant], grant: DeviceGrant) -> None:
        """Notify the person, once, that the portal does not answer yet.

        Raises:
            LeaseLostError: as `save`.
        """
        codes = grant.codes and replace(grant.codes, waiting_shown=True)
        async with self._database.transaction() as transaction:
            await self._save(transaction, lease, grant, replace(grant, codes=codes))
            await self._deliveries.add(transaction, _outcome(grant))

    async def notify_outcome(self, lease: Lease[DeviceGrant], grant: DeviceGrant) -> Released:
        """Give a decided grant's outcome to its delivery, drop its codes, and release it, in one step.

        Raises:
            LeaseLostError: as `save`.
        """
        async with self._database.transaction() as transaction:
            notified = replace(grant, codes=None, notified_at=transaction.now())
            await self._save(transaction, lease, grant, notified, give_back=True)
            await self._deliveries.add(transaction, _outcome(grant))
        return Released()

    async def _save(
        self,
        transaction: Transaction,
        lease: Lease[DeviceGrant],
        before: DeviceGrant,
        after: DeviceGrant,
        *,
        give_back: bool = False,
    ) -> None:
        row = device_grants.c
        statement = update(device_grants).where(
            row.id == lease.id, row.state == before.state.value, row.lease_token == lease.token
        )
        facts = self._difference(before, after)
        if give_back:
            statement = statement.values(**self.leases.given_back)
            facts |= self.leases.when_given_back(lease.claim, None)
        if not (await transaction.execute(statement, facts)).rowcount:
            raise LeaseLostError(lease.id)
        if after.state is not before.state and after.state in NOT_CONNECTED:
            owner = after.identity.key
            await transaction.record(Action.CONNECT, actor=owner, subject=owner, result=after.state.value)

    def _difference(self, before: DeviceGrant, after: DeviceGrant) -> dict[str, Any]:
        changes: dict[str, Any] = {"state": after.state.value}
        if after.interval_seconds != before.interval_seconds:
            changes["interval_seconds"] = after.interval_seconds
        if after.notified_at != before.notified_at:
            changes["notified_at"] = after.notified_at
        if after.codes != before.codes:
            changes["sealed_codes"] = self._sealed(after, after.codes)
        if after.tokens != before.tokens:
            changes["sealed_tokens"] = self._sealed(after, after.tokens)
        return changes

    async def cancel_pending(self, identity: Identity) -> list[DeviceGrant]:
        """Cancel the person's undecided grants; return them as they were."""
        async with self._database.transaction() as transaction:
            return await self._drop(transaction, device_grants.c.owner == identity.key)

    async def cancel_all(self, *, enterprise: str, teams: Collection[str], but: Collection[str]) -> None:
        """Cancel the grants of these workspaces' people; without teams, the enterprise's, except `but`."""
        row = device_grants.c
        of = row.team.in_(teams) if teams else row.enterprise == enterprise
        async with self._database.transaction() as transaction:
            await transaction.execute(_supersede(and_(of, row.team.not_in(but))))

    async def _drop(self, transaction: Transaction, of: ColumnElement[bool]) -> list[DeviceGrant]:
        """Supersede grants and drop their codes and tokens; return them as they were.

        The rows are locked before they are read, so that no link's address is stored in between.
        """
        going_on = and_(of, device_grants.c.state.in_(_GOING_ON))
        query = self._database.backend.locked(select(device_grants).where(going_on))
        dropped = [self._grant(found) for found in await transaction.execute(query)]
        await transaction.execute(_supersede(of))
        return dropped

    async def _loaders(self, rows: Sequence[Row[Any]]) -> dict[str, Callable[[], DeviceGrant]]:
        return {row.id: partial(self._grant, row) for row in rows}

    def _sealed(self, grant: DeviceGrant, secrets: DeviceCodes | GrantedTokens | None) -> bytes | None:
        return None if secrets is None else self._cipher.seal(grant.identity.key, secrets.to_facts())

    def _grant(self, row: Row[Any]) -> DeviceGrant:
        return DeviceGrant(
            id=row.id,
            identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
            state=GrantState(row.state),
            base_url=row.base_url,
            asked_scope=row.asked_scope,
            purpose=purpose_from_text(row.purpose),
            interval_seconds=row.interval_seconds,
            expires_at=row.expires_at,
            created_at=row.created_at,
            codes=self._open(row.owner, row.sealed_codes, DeviceCodes.from_facts),
            tokens=self._open(row.owner, row.sealed_tokens, GrantedTokens.from_facts),
            notified_at=row.notified_at,
        )

    def _open(self, owner: str, sealed: bytes | None, read: Callable[[dict[str, Any]], T]) -> T | None:
        if sealed is None:
            return None
        try:
            return read(self._cipher.open(owner, sealed))
        except SealBrokenError:
            log.warning("device_grants.seal_broken", owner=owner)
            return None  # the key is gone: the grant expires, and the person starts again


def _supersede(of: ColumnElement[bool]) -> Update:
    row = device_grants.c
    superseded = update(device_grants).where(of, row.state.in_(_GOING_ON))
    return superseded.values(**_SUPERSEDED, wakes=row.wakes + 1)


def _outcome(grant: DeviceGrant) -> Delivery:
    """Return the grant's delivery: it replaces the link, or is posted in the link's thread."""
    codes = grant.codes
    message = codes and codes.message
    return Delivery(
        id=grant.id,
        subject_kind=DEVICE_GRANT,
        subject_id=grant.id,
        recipient=grant.identity,
        created_at=grant.created_at,
        place=None if codes is None or message else codes.shown_at,
        channel=message.channel if message else None,
        ts=message.ts if message else None,
    )
