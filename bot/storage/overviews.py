"""The overview from which a person started to buy: it is updated after the purchase."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from bot.domain.identity import Account
from bot.storage.cipher import SealBrokenError
from bot.storage.tables import overviews

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity
    from bot.storage.cipher import Cipher
    from bot.storage.database import Database

RESPONSE_URL_LIFE = timedelta(minutes=29)
"""Slack accepts a response_url for 30 minutes; one minute is left for the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownOverview:
    """An overview on a person's screen: the URL that replaces it, and its account (only the ids)."""

    response_url: str = field(repr=False)
    account: Account


class OverviewStore:
    """One overview per person, with its encrypted response_url."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    async def remember(self, identity: Identity, shown: ShownOverview) -> None:
        """Store the overview that a person has just clicked in; it replaces their former one."""
        now = self._database.clock.now()
        account = shown.account
        facts = {
            "url": shown.response_url,
            "account": account.account_id,
            "organization": account.organization_id,
        }
        values = {
            "sealed_url": self._cipher.seal(identity.key, facts),
            "issued_at": now,
            "drawn_at": now,
        }
        statement = self._database.backend.insert(overviews).values(owner=identity.key, **values)
        async with self._database.transaction() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[overviews.c.owner], set_=values)
            )

    async def forget(self, identity: Identity) -> None:
        """Delete a person's overview, because something else has replaced it."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(overviews).where(overviews.c.owner == identity.key))

    async def take_stale(self, identity: Identity, *, since: datetime) -> ShownOverview | None:
        """Return a person's overview if it was drawn before `since`, once.

        Return None if there is none, or if Slack no longer accepts its response_url.
        """
        now = self._database.clock.now()
        row = overviews.c
        statement = (
            update(overviews)
            .where(row.owner == identity.key, row.drawn_at < since, row.issued_at > now - RESPONSE_URL_LIFE)
            .values(drawn_at=now)
            .returning(row.sealed_url)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(select(row.owner).where(row.owner == identity.key))).first()
        if found is None:
            return None
        async with self._database.transaction() as connection:
            sealed = (await connection.execute(statement)).scalar_one_or_none()
        if sealed is None:
            return None
        try:
            facts = self._cipher.open(identity.key, sealed)
        except SealBrokenError:
            return None
        account = Account(
            account_id=facts["account"],
            email=None,
            organization_id=facts["organization"],
            organization_name=None,
        )
        return ShownOverview(response_url=facts["url"], account=account)

    async def delete_old(self) -> None:
        """Delete overviews that can no longer be replaced."""
        expired = overviews.c.issued_at < self._database.clock.now() - RESPONSE_URL_LIFE
        async with self._database.transaction() as connection:
            await connection.execute(delete(overviews).where(expired))
