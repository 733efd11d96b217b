"""The store of OAuth installations with their encrypted tokens, and of the OAuth states."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, or_, select

from bot.domain.audit import Action
from bot.domain.installation import Installation
from bot.storage.tables import installations, oauth_states

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import ColumnElement, Row

    from bot.domain.installation import Place
    from bot.storage.cipher import Cipher
    from bot.storage.connection import Transaction
    from bot.storage.database import Database

STATE_LIFE = timedelta(minutes=10)


class InstallationStore:
    """The installations. They are read for each request, so that a removed one stops working everywhere."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    async def find(self, place: Place) -> Installation | None:
        """Return the workspace's installation, or else its organization's.

        Raises:
            SealBrokenError: none of the keys decrypts the token.
        """
        row = installations.c
        newest = select(installations).order_by(row.installed_at.desc())
        workspace = newest.where(row.team == place.team, row.team != "")
        organization = newest.where(_org_wide(place))
        async with self._database.transaction() as connection:
            found = (await connection.execute(workspace)).first()
            if found is None:
                found = (await connection.execute(organization)).first()
        return None if found is None else self._installation(found)

    async def put(self, installation: Installation) -> None:
        """Store an installation; it replaces a former one of the same workspace or organization."""
        values = {
            "owner": installation.key,
            "enterprise": installation.enterprise,
            "team": installation.team,
            "name": installation.name,
            "bot_user": installation.bot_user,
            "scopes": installation.scopes,
            "installed_by": installation.installed_by,
            "installed_at": installation.installed_at,
            "sealed_token": self._cipher.seal(installation.key, {"bot": installation.token}),
        }
        statement = self._database.backend.insert(installations).values(**values)
        async with self._database.transaction() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[installations.c.owner], set_=values)
            )
            await connection.record(
                Action.INSTALL,
                at=installation.installed_at,
                actor=installation.installer,
                subject=installation.key,
                result="installed",
                facts={"scopes": installation.scopes},
            )

    async def all(self) -> Sequence[Installation]:
        """Return all installations."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(select(installations))).all()
        return [self._installation(row) for row in rows]

    async def is_installed(self, place: Place, *, within: Transaction) -> bool:
        """Tell whether the app is installed there; lock that until the transaction ends."""
        row = installations.c
        of = or_(and_(row.team == place.team, row.team != ""), _org_wide(place))
        query = self._database.backend.locked(select(row.owner).where(of), shared=True)
        return (await within.execute(query)).first() is not None

    async def remove(self, installation: Installation, *, why: str) -> None:
        """Delete an installation and its token."""
        statement = delete(installations).where(installations.c.owner == installation.key)
        async with self._database.transaction() as connection:
            if (await connection.execute(statement)).rowcount:
                await _record_end(connection, installation, why)

    async def issue_state(self) -> str:
        """Return a new state (RFC 6749, 10.12), valid for ten minutes and for one use."""
        state, now = secrets.token_urlsafe(32), self._database.clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(delete(oauth_states).where(oauth_states.c.expires_at <= now))
            await connection.execute(
                insert(oauth_states).values(digest=_digest(state), expires_at=now + STATE_LIFE)
            )
        return state

    async def has_state(self, state: str) -> bool:
        """Tell whether a state is valid, without using it up."""
        row = oauth_states.c
        query = select(row.digest).where(
            row.digest == _digest(state), row.expires_at > self._database.clock.now()
        )
        async with self._database.read() as connection:
            return await connection.scalar(query) is not None

    async def consume_state(self, state: str) -> bool:
        """Use up a state; tell whether it was valid."""
        row = oauth_states.c
        statement = delete(oauth_states).where(
            row.digest == _digest(state), row.expires_at > self._database.clock.now()
        )
        async with self._database.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    def _installation(self, row: Row[Any]) -> Installation:
        return Installation(
            enterprise=row.enterprise,
            team=row.team,
            name=row.name,
            bot_user=row.bot_user,
            scopes=row.scopes,
            token=self._cipher.open(row.owner, row.sealed_token)["bot"],
            installed_by=row.installed_by,
            installed_at=row.installed_at,
        )


async def _record_end(connection: Transaction, installation: Installation, why: str) -> None:
    """Record in the audit log that an installation has ended."""
    await connection.record(
        Action.UNINSTALL,
        actor="slack",
        subject=installation.key,
        result="removed",
        facts={"why": why},
    )


def _org_wide(place: Place) -> ColumnElement[bool]:
    row = installations.c
    return and_(row.enterprise == place.enterprise, row.enterprise != "", row.team == "")


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
