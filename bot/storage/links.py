"""Links: the portal grant that a Slack person uses. Tokens are encrypted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import String, bindparam, delete, func, literal, or_, select, union_all, update

from bot.domain.audit import Action
from bot.domain.identity import BILLING_SCOPE, GRANT_LIFE, Account, Connection, Identity, has_scope
from bot.storage.batch_loader import BatchLoader
from bot.storage.charges.permits import withdraw_permission
from bot.storage.cipher import SealBrokenError
from bot.storage.live_links import live_in
from bot.storage.requests.leaving import withdraw_left
from bot.storage.tables import let_in, links, overviews

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from bot.domain.delivery import Delivery
    from bot.domain.request import OrganizationKey
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Connection as DatabaseConnection
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A person's grant. `access` and `refresh` are None once the grant is dead; times are UTC.

    `grant_id` is random for each approved grant, so that a late change meant for a former one is not stored
    in this one. `generation` grows with every stored change of the tokens. Tokens that were rotated are not
    `is_verified` until the portal has said whose they are; only that may be asked with them. A link
    `waits_since` it was made beside another person's, until one of those lets this person in.
    """

    identity: Identity
    account: Account
    base_url: str
    scope: str
    expires_at: datetime
    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)
    grant_id: str = field(default_factory=lambda: secrets.token_hex(16))
    generation: int = 0
    is_verified: bool = True
    linked_at: datetime
    waits_since: datetime | None = None
    may_charge: bool | None = None
    """What the portal last said of this person; None if it was not asked."""

    @property
    def dead(self) -> bool:
        """Whether the grant is dead, so that only a new connection helps."""
        return self.access is None

    @property
    def connection(self) -> Connection:
        """The facts for screens; a grant ends GRANT_LIFE after its approval, even if refreshed."""
        return Connection(
            account=self.account,
            may_bill=has_scope(self.scope, BILLING_SCOPE),
            ends_at=self.linked_at + GRANT_LIFE,
            may_charge=self.may_charge,
        )


_OF_OWNERS = select(links).where(links.c.owner.in_(bindparam("owners", expanding=True)))
_THIS_VERSION = update(links).where(
    links.c.owner == bindparam("this_owner"),
    links.c.grant_id == bindparam("this_grant"),
    links.c.generation == bindparam("this_generation"),
)
"""The same grant, unchanged since it was read. Made once: to make it anew costs more than to execute it."""


def _this_version(link: Link) -> dict[str, Any]:
    return {
        "this_owner": link.identity.key,
        "this_grant": link.grant_id,
        "this_generation": link.generation,
    }


class LinkStore:
    """The links of all people, by identity."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher
        self._loader = BatchLoader(self._read_all)

    async def get(self, identity: Identity) -> Link | None:
        """Return the person's link; None if there is none."""
        return await self._loader.get(identity.key)

    async def by_grant(self, grant_id: str) -> Link | None:
        """Return the link that this grant made; None if it is gone."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(links).where(links.c.grant_id == grant_id))
            ).one_or_none()
        return None if row is None else self._link(row)

    async def others(self, link: Link, *, within: Transaction) -> Sequence[Link]:
        """Return other people's live links to the same portal account, oldest first.

        It is the same account if the deployment and the account's id or e-mail address are the same. Those
        who connect to one account do so one at a time, until this transaction ends.
        """
        row, account = links.c, link.account
        same = row.account_id == account.account_id
        names = [f"account:{account.account_id}"]
        if account.email:
            same = or_(same, func.lower(row.email) == account.email.lower())
            names.append(f"email:{account.email.lower()}")
        asked = union_all(*(select(literal(name, String).label("name")) for name in names)).subquery()
        await within.execute(select(self._database.backend.take_turns(select(asked))))
        query = (
            select(links)
            .where(
                row.base_url == link.base_url,
                same,
                row.owner != link.identity.key,
                row.sealed_tokens.is_not(None),
                row.linked_at > within.now() - GRANT_LIFE,
            )
            .order_by(row.linked_at)
        )
        return [self._link(found) for found in await within.execute(query)]

    async def colleagues(self, key: OrganizationKey) -> Sequence[Link]:
        """Return the live links to an organization from one workspace or grid, oldest first."""
        row = links.c
        query = (
            select(links)
            .where(
                *live_in(key),
                row.linked_at > self._database.clock.now() - GRANT_LIFE,
            )
            .order_by(row.linked_at)
        )
        async with self._database.read() as connection:
            return [self._link(found) for found in await connection.execute(query)]

    async def remember_role(self, link: Link, *, may_charge: bool, within: Transaction) -> bool:
        """Keep what the portal says of a person; return False if the link is another grant's by now."""
        row = links.c
        this = (row.owner == link.identity.key, row.grant_id == link.grant_id)
        changed = update(links).where(*this).values(may_charge=may_charge)
        return bool((await within.execute(changed)).rowcount)

    async def waiting(self, *, since_before: datetime) -> Sequence[Link]:
        """Return the links that have waited to be let in since before then."""
        query = select(links).where(links.c.waits_since < since_before)
        async with self._database.read() as connection:
            return [self._link(found) for found in await connection.execute(query)]

    async def put(self, link: Link, *, within: Transaction | None = None) -> None:
        """Store a link; it replaces the person's former one."""
        if within is None:
            async with self._database.transaction() as connection:
                await self._write(connection, link)
        else:
            await self._write(within, link)

    async def remove(self, identity: Identity, *, why: str = "by the person") -> Link | None:
        """Delete the person's link and its tokens; return the deleted link."""
        async with self._database.transaction() as connection:
            link = await self._read(connection, identity)
            await self._forget(connection, [links.c.owner == identity.key], why)
        return link

    async def remove_within(self, transaction: Transaction, owner: str, *, why: str) -> None:
        """Delete a person's link and its tokens, by key, with what hangs on it."""
        await self._forget(transaction, [links.c.owner == owner], why)

    async def end(
        self, link: Link, *, why: str, within: Transaction, only_if_waiting: bool = False
    ) -> bool:
        """Delete this grant's link; return False if it is gone, or was let in where that matters."""
        conditions = [links.c.owner == link.identity.key, links.c.grant_id == link.grant_id]
        if only_if_waiting:
            conditions.append(links.c.waits_since.is_not(None))
        return bool(await self._forget(within, conditions, why))

    async def remove_all(
        self, *, enterprise: str, teams: Collection[str], but: Collection[str], why: str
    ) -> Sequence[str]:
        """Delete the links of these workspaces' people; without teams, the enterprise's, except `but`.

        Return the keys of the people whose links were deleted.
        """
        of = links.c.team.in_(teams) if teams else links.c.enterprise == enterprise
        async with self._database.transaction() as connection:
            owners = await self._forget(connection, [of, links.c.team.not_in(but)], why)
            await connection.execute(delete(let_in).where(let_in.c.owner.in_(owners)))
        return owners

    async def _forget(
        self, connection: Transaction, conditions: list[ColumnElement[bool]], why: str
    ) -> Sequence[str]:
        forgotten = await connection.execute(delete(links).where(*conditions).returning(links.c.owner))
        owners = forgotten.scalars().all()
        await withdraw_permission(connection, owners)
        await connection.execute(delete(overviews).where(overviews.c.owner.in_(owners)))
        for owner in owners:
            await withdraw_left(connection, owner)
            await connection.record(Action.DISCONNECT, actor=owner, subject=owner, result=why)
        return owners

    async def ending(self, *, linked_before: datetime, linked_after: datetime) -> Sequence[Link]:
        """Return the links that were made then and whose person was not reminded of the end yet."""
        row = links.c
        query = select(links).where(
            row.linked_at <= linked_before,
            row.linked_at > linked_after,
            row.reminded_at.is_(None),
            row.sealed_tokens.is_not(None),
        )
        async with self._database.read() as connection:
            return [self._link(found) for found in await connection.execute(query)]

    async def remind(self, link: Link, reminder: Delivery, deliveries: DeliveryStore) -> None:
        """Store the reminder of a link's end, once a grant."""
        row = links.c
        statement = update(links).where(
            row.owner == link.identity.key, row.grant_id == link.grant_id, row.reminded_at.is_(None)
        )
        async with self._database.transaction() as transaction:
            reminded = await transaction.execute(statement.values(reminded_at=transaction.now()))
            if reminded.rowcount:
                await deliveries.add(transaction, reminder)

    async def begin_refresh(self, link: Link, seconds: float) -> bool:
        """Keep other processes from refreshing this link for that long; return False if one does.

        Also return False if the link has changed since it was read.

        No connection is held meanwhile. On SQLite there is only one process, with its own lock.
        """
        if self._database.is_embedded:
            return True
        backend = self._database.backend
        until = links.c.refreshing_until
        statement = _THIS_VERSION.where(or_(until.is_(None), until < backend.lease_now())).values(
            refreshing_until=backend.lease_end()
        )
        async with self._database.autocommit() as connection:
            facts = backend.lease_facts(seconds) | _this_version(link)
            return bool((await connection.execute(statement, facts)).rowcount)

    async def end_refresh(self, link: Link) -> None:
        """Let others refresh the link, because this refresh brought no tokens."""
        if not self._database.is_embedded:
            async with self._database.autocommit() as connection:
                freed = _THIS_VERSION.values(refreshing_until=None)
                await connection.execute(freed, _this_version(link))

    async def replace_tokens(self, link: Link) -> Link | None:
        """Store the link's rotated tokens (None: the grant is dead); return the link as it is stored.

        Return None if the link is another grant's by now, or has changed since it was read.
        """
        values = {
            "sealed_tokens": self._sealed(link),
            "expires_at": link.expires_at,
            "scope": link.scope,
            "is_verified": link.is_verified,
            "refreshing_until": None,
            "generation": link.generation + 1,
        }
        async with self._database.transaction() as transaction:
            if not (await transaction.execute(_THIS_VERSION, _this_version(link) | values)).rowcount:
                return None
            if link.dead:
                owner = link.identity.key
                await withdraw_permission(transaction, [owner])
                await transaction.record(Action.SESSION, actor="portal", subject=owner, result="ended")
        return replace(link, generation=link.generation + 1)

    def _sealed(self, link: Link) -> bytes | None:
        if link.access is None:
            return None
        return self._cipher.seal(link.identity.key, {"access": link.access, "refresh": link.refresh})

    async def _read_all(self, owners: Sequence[str]) -> Mapping[str, Link]:
        async with self._database.read() as connection:
            rows = await connection.execute(_OF_OWNERS, {"owners": owners})
            return {row.owner: self._link(row) for row in rows}

    async def _read(self, connection: DatabaseConnection, identity: Identity) -> Link | None:
        row = (await connection.execute(_OF_OWNERS, {"owners": [identity.key]})).one_or_none()
        return None if row is None else self._link(row)

    async def _write(self, connection: Transaction, link: Link) -> None:
        values = self._values(link)
        statement = self._database.backend.insert(links).values(**values, generation=1)
        changed = {**values, "generation": links.c.generation + 1}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=[links.c.owner], set_=changed)
        )
        await withdraw_left(connection, link.identity.key, but=link.account, base_url=link.base_url)
        await connection.record(
            Action.CONNECT,
            at=link.linked_at,
            actor=link.identity.key,
            subject=link.identity.key,
            result="connected" if link.waits_since is None else "waits",
            facts={
                "account": link.account.account_id,
                "organisation": link.account.organization_id,
                "scope": link.scope,
            },
        )

    def _values(self, link: Link) -> dict[str, Any]:
        return {
            "owner": link.identity.key,
            "enterprise": link.identity.enterprise,
            "team": link.identity.team,
            "user": link.identity.user,
            "base_url": link.base_url,
            "account_id": link.account.account_id,
            "email": link.account.email,
            "organization_id": link.account.organization_id,
            "organization_name": link.account.organization_name,
            "scope": link.scope,
            "expires_at": link.expires_at,
            "sealed_tokens": self._sealed(link),
            "linked_at": link.linked_at,
            "grant_id": link.grant_id,
            "is_verified": link.is_verified,
            "refreshing_until": None,
            "reminded_at": None,
            "waits_since": link.waits_since,
            "may_charge": link.may_charge,
        }

    def _open(self, row: Row[Any]) -> dict[str, Any]:
        if row.sealed_tokens is None:
            return {}
        try:
            return self._cipher.open(row.owner, row.sealed_tokens)
        except SealBrokenError:
            # Screens show "connect again". The encrypted tokens are kept in case the right key returns.
            log.warning("links.seal_broken", owner=row.owner)
            return {}

    def _link(self, row: Row[Any]) -> Link:
        tokens = self._open(row)
        return Link(
            identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user),
            account=Account(
                account_id=row.account_id,
                email=row.email,
                organization_id=row.organization_id,
                organization_name=row.organization_name,
            ),
            base_url=row.base_url,
            scope=row.scope,
            expires_at=row.expires_at,
            access=tokens.get("access"),
            refresh=tokens.get("refresh"),
            grant_id=row.grant_id,
            generation=row.generation,
            is_verified=row.is_verified,
            linked_at=row.linked_at,
            waits_since=row.waits_since,
            may_charge=row.may_charge,
        )
