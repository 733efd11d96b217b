"""Deletes ended durable work and other short-lived data, and anonymizes old charges."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.identity import GRANT_LIFE
from bot.services.digests import DIGEST
from bot.services.exporting import EXPORTED
from bot.services.lock_announcements import LOCK
from bot.services.reminders import CONNECTION
from bot.services.second_person import SECOND_PERSON, WAITING
from bot.services.watch_worker import STALE
from bot.storage.budget_notes import BUDGET
from bot.storage.pending_confirmations import PENDING_LIFE
from bot.storage.policies import POLICY, POLICY_CHANGE, POLICY_CHANNEL

if TYPE_CHECKING:
    from bot.domain.clock import Clock
    from bot.storage.away import AwayStore
    from bot.storage.charges.purge import ChargePurge
    from bot.storage.ended_work import EndedWork
    from bot.storage.overviews import OverviewStore
    from bot.storage.pending_confirmations import PendingConfirmations
    from bot.storage.requests.purge import RequestPurge
    from bot.storage.watches import WatchStore

SIGNATURES_FOR = timedelta(minutes=15)
"""How long a request is remembered; it can be sent again within five minutes, by clocks that agree."""

PROPOSALS_FOR = timedelta(days=1)
"""How long a proposal is kept that was never confirmed."""

EPISODES_FOR = timedelta(days=60)
"""How long an episode is kept that is over, with its messages."""

log = structlog.get_logger(__name__)


NOTICES = (
    CONNECTION,
    SECOND_PERSON,
    WAITING,
    LOCK,
    POLICY,
    POLICY_CHANGE,
    POLICY_CHANNEL,
    STALE,
    DIGEST,
    EXPORTED,
    BUDGET,
)
"""The kinds of subject of messages about what has no table of its own."""


class Retention:
    """Deletes expired data. The ledger keeps amounts, outcomes and times; the audit log is unchanged."""

    def __init__(
        self,
        charges: ChargePurge,
        requests: RequestPurge,
        away: AwayStore,
        watches: WatchStore,
        ended: EndedWork,
        pending: PendingConfirmations,
        overviews: OverviewStore,
        clock: Clock,
        purge_after_days: int | None,
    ) -> None:
        self._charges = charges
        self._requests = requests
        self._away = away
        self._watches = watches
        self._ended = ended
        self._pending = pending
        self._overviews = overviews
        self._clock = clock
        self._purge_after = None if purge_after_days is None else timedelta(days=purge_after_days)

    async def forget(self) -> int:
        """Delete what has expired, in batches; return how many charges were anonymized."""
        now = self._clock.now()
        await self._ended.delete_old()
        await self._ended.delete_seen_requests(before=now - SIGNATURES_FOR)
        await self._ended.delete_notices(NOTICES, before=now - GRANT_LIFE)
        await self._watches.forget(before=now - EPISODES_FOR)
        await self._pending.delete_old(before=now - PENDING_LIFE)
        await self._overviews.delete_old()
        await self._away.delete_old()
        await self._charges.delete_unconfirmed(before=now - PROPOSALS_FOR)
        if self._purge_after is None:
            return 0
        total = 0
        while forgotten := await self._charges.forget_people(before=now - self._purge_after):
            total += forgotten
        requests = await self._requests.delete_ended(before=now - self._purge_after)
        if total or requests:
            log.info("retention.purged", charges=total, requests=requests)
        return total
