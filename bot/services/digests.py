"""The weekly digest of a watched balance, put together when it is posted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.charge import ChargeState
from bot.domain.digest import WEEK, Added, digest_of, end_of
from bot.domain.episode import Look
from bot.storage.exports import Span, purchases_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.digest import Digest
    from bot.domain.watch import Watch
    from bot.storage.database import Database
    from bot.storage.requests.line import TwoPeopleLine
    from bot.storage.requests.lists import RequestLists
    from bot.storage.watches import WatchStore

DIGEST = "digest"
"""The kind of subject of its messages: the watch, and the ISO week in which it is due."""

MOST_WAITING = 100


class Digests:
    """Puts weeks together."""

    def __init__(
        self, database: Database, watches: WatchStore, lists: RequestLists, line: TwoPeopleLine
    ) -> None:
        self._database = database
        self._watches = watches
        self._lists = lists
        self._line = line

    async def of(self, subject: str) -> tuple[Watch, Digest] | None:
        """Return the week of a subject; None if the watch is gone or nothing was read in it."""
        watch_id, _, week = subject.partition(" ")
        watch = await self._watches.get(watch_id)
        if watch is None:
            return None
        ends = end_of(week, watch.zone)
        async with self._database.read() as connection:
            readings = await self._watches.readings.until(connection, watch.id, ends)
        if not readings:
            return None
        look = Look(readings=readings, now=ends, lines=watch.lines)
        waiting = await self._lists.open_of(watch.key, but="", limit=MOST_WAITING)
        added, budgets = await self._added(watch, ends), await self._line.uses_of(watch.key)
        return watch, digest_of(look, watch.organization_name, added, waiting, budgets)

    async def _added(self, watch: Watch, ends: datetime) -> Sequence[Added]:
        span = Span(
            organization_id=watch.key.organization_id,
            since=ends - WEEK,
            until=ends,
            tenant=watch.key.tenant,
        )
        return [
            Added(
                amount=each.charge.display_amount,
                requester=each.requester or each.charge.identity.user,
                payer=each.charge.identity.user,
            )
            for each in await purchases_in(self._database, span)
            if each.charge.state is ChargeState.SETTLED
        ]
