"""What is asked about several requests: who waits, what was granted, who decided."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from bot.domain.request import DENIED_LATELY, FundsRequest, RequestState
from bot.storage.requests.rows import IS_GOING_ON, IS_OPEN, of_organization, request_of
from bot.storage.tables import requests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from bot.domain.request import OrganizationKey
    from bot.storage.database import Database


LONGEST_LIFE = timedelta(days=15)
"""Longer than any request is open, and its charge followed: it bounds what is searched."""

DECIDERS_OF = timedelta(days=90)


class RequestLists:
    """Reads requests; changes are in `bot.storage.requests.store`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_of(self, key: OrganizationKey, *, but: str, limit: int) -> Sequence[FundsRequest]:
        """Return the organization's open requests, oldest first, without those of the person `but`."""
        query = (
            select(requests)
            .where(*of_organization(key), IS_OPEN, requests.c.owner != but)
            .where(requests.c.expires_at > self._database.clock.now())
            .order_by(requests.c.asked_at)
            .limit(limit)
        )
        return await self._all(query)

    async def of_owner(self, owner: str, *, limit: int) -> Sequence[FundsRequest]:
        """Return a person's requests, newest first."""
        row = requests.c
        query = select(requests).where(row.owner == owner).order_by(row.asked_at.desc()).limit(limit)
        return await self._all(query)

    async def of_all(self, key: OrganizationKey, *, since: datetime, limit: int) -> Sequence[FundsRequest]:
        """Return the organization's requests that were filed since then, newest first."""
        row = requests.c
        query = (
            select(requests)
            .where(*of_organization(key), row.asked_at > since)
            .order_by(row.asked_at.desc())
            .limit(limit)
        )
        return await self._all(query)

    async def granted(self, owner: str, key: OrganizationKey, *, since: datetime) -> Decimal:
        """Return the sum (US dollars) of a person's requests that were paid since then."""
        row = requests.c
        query = select(row.amount).where(
            *of_organization(key),
            row.owner == owner,
            row.state == RequestState.DONE.value,
            row.asked_at > since - LONGEST_LIFE,
            row.decided_at > since,
        )
        async with self._database.read() as connection:
            return sum((await connection.execute(query)).scalars(), Decimal(0))

    async def denied_lately(self, request: FundsRequest) -> FundsRequest | None:
        """Return the latest denial of the same amount to the same person; None if there is none."""
        row = requests.c
        since = self._database.clock.now() - DENIED_LATELY
        query = (
            select(requests)
            .where(
                row.owner == request.requester.key,
                row.organization_id == request.organization_id,
                row.amount == request.amount,
                row.state == RequestState.DENIED.value,
                row.asked_at > since - LONGEST_LIFE,
                row.decided_at > since,
            )
            .order_by(row.decided_at.desc())
            .limit(1)
        )
        return next(iter(await self._all(query)), None)

    async def not_before(self, key: OrganizationKey) -> datetime | None:
        """Return until when the portal takes no charge of the organization (UTC); None if it may now."""
        query = select(func.max(requests.c.not_before)).where(*of_organization(key), IS_GOING_ON)
        async with self._database.read() as connection:
            until: datetime | None = await connection.scalar(query)
        return until if until is not None and until > self._database.clock.now() else None

    async def deciders(self, key: OrganizationKey) -> Sequence[str]:
        """Return the keys of those who have decided on its requests of 90 days, the latest first."""
        row = requests.c
        since = self._database.clock.now() - DECIDERS_OF
        query = (
            select(row.decided_by)
            .where(*of_organization(key), row.decided_by.is_not(None), row.asked_at > since)
            .group_by(row.decided_by)
            .order_by(func.max(row.decided_at).desc())
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalars().all()

    async def _all(self, query: Select[Any]) -> Sequence[FundsRequest]:
        async with self._database.read() as connection:
            return [request_of(row) for row in await connection.execute(query)]
