"""The durable work on a watch: read the balance, judge it, and tell people once.

A reading may also come from a look that somebody else took. Both are judged alike, one after the other.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.digest import LATE, next_digest, week_of
from bot.domain.episode import FOR_ALL, QUIET, Look, is_doubtful, judge
from bot.domain.errors import (
    BillingError,
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.domain.reading import Reading, Source
from bot.domain.vote import method_key
from bot.domain.watch import READ_AGAIN, STALE_AFTER, WatchState
from bot.services.alert_facts import facts_of
from bot.services.digests import DIGEST
from bot.storage.deliveries import wake_subject
from bot.storage.episodes import EPISODE
from bot.storage.policies import message_about

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.domain.billing import BillingState
    from bot.domain.clock import Clock
    from bot.domain.episode import EpisodeKind
    from bot.domain.identity import Identity
    from bot.domain.pace import Pace
    from bot.domain.watch import Consent, Watch
    from bot.engine import Lease, Released
    from bot.metrics import Metrics
    from bot.rate_limit import RateLimiter
    from bot.services.accounts import Accounts
    from bot.storage.connection import Transaction
    from bot.storage.database import Database
    from bot.storage.deliveries import DeliveryStore
    from bot.storage.episodes import StoredEpisode
    from bot.storage.watches import WatchStore

STALE = "stale_watch"
"""The kind of subject of the messages that nobody watches: the watch and since when."""

AN_HOUR = timedelta(hours=1)
FRESH = timedelta(seconds=60)
"""A visit sooner after a reading than this adds nothing."""

EDIT_EVERY = timedelta(minutes=15)
"""How often the numbers in an alert are brought up to date without anything else."""

OTHERS_NEEDED = 2
"""With fewer other watches nothing says whether it is the portal that is away."""

ALONE_STALE_AFTER = timedelta(hours=24)

log = structlog.get_logger(__name__)


class WatchWorker:
    """Advances watches, and judges what others have looked up."""

    def __init__(
        self,
        database: Database,
        watches: WatchStore,
        deliveries: DeliveryStore,
        accounts: Accounts,
        clock: Clock,
        pace: Pace,
        rate: RateLimiter,
        metrics: Metrics,
        *,
        are_on: bool,
    ) -> None:
        self._database = database
        self._watches = watches
        self._deliveries = deliveries
        self._accounts = accounts
        self._clock = clock
        self._pace = pace
        self._rate = rate
        self._metrics = metrics
        self._are_on = are_on

    async def advance(self, lease: Lease[Watch]) -> Released | datetime | None:
        """Read a watched balance with the first connection that works; return when to read again (UTC)."""
        watch = lease.load()
        if not self._are_on:
            return self._clock.now() + AN_HOUR
        if watch.state is WatchState.OFF:
            return None
        if not self._rate.allows("all"):
            return self._clock.now() + timedelta(seconds=random.uniform(1, 3))  # noqa: S311 - spreads load
        for consent in await self._watches.watchers(watch):
            try:
                state = await self._state(watch, consent)
            except (PortalUnavailableError, PortalRefusalError) as error:
                return await self._failed(lease, watch, error.retry_after)
            if state is not None:
                return await self._read(watch, state, lease=lease, by=consent)
        return await self._abandoned(lease, watch)

    async def _state(self, watch: Watch, consent: Consent) -> BillingState | None:
        """Return what the portal says to a watcher; None if their connection does not read this balance.

        Raises:
            PortalUnavailableError, PortalRefusalError: nothing was read.
        """
        try:
            _, portal = await self._accounts.portal(consent.person, only_reads=True)
            state = await portal.state(in_background=True)
        except (NotLinkedError, RelinkRequiredError):
            return None
        if state.organization_id != watch.key.organization_id:
            return None
        if state.balance is None:
            raise PortalUnavailableError("no balance", sent=False)
        return state

    async def visited(self, identity: Identity, state: BillingState) -> None:
        """Judge what somebody's look has shown; a failure is only logged."""
        if not self._are_on or state.balance is None:
            return
        try:
            now = self._clock.now()
            for watch in await self._watches.of_organization(identity.tenant, state.organization_id):
                is_old = watch.read_at is None or now - watch.read_at >= FRESH
                if watch.state is not WatchState.OFF and (is_old or watch.credit):
                    await self._read(watch, state, lease=None, by=None)
        except BillingError as error:
            log.info("watch_worker.visit_lost", problem=type(error).__name__)

    async def _read(
        self, watch: Watch, state: BillingState, *, lease: Lease[Watch] | None, by: Consent | None
    ) -> Released:
        """Store a reading and judge it, unless it has to be read again first."""
        async with self._database.transaction() as transaction:
            current = await self._watches.held(transaction, watch.id) or watch
            history = await self._watches.readings.history(transaction, watch.id)
            before = history[-1] if history else None
            reading = self._reading(current, state, by)
            now = reading.at
            if self._is_doubted(current, before, reading):
                self._metrics.watch_read("doubted")
                return await self._watches.save(
                    transaction, current, current.doubted(now), due_at=now + READ_AGAIN, lease=lease
                )
            await self._watches.readings.add(transaction, watch.id, reading, after=before)
            if by is not None:
                await self._watches.sees(transaction, by, sees_all=reading.sees_all)
            look = Look(
                readings=[*history, reading],
                now=now,
                lines=current.lines,
                changed_here_at=current.changed_here_at,
            )
            opened = await self._judge(transaction, current, look)
            after = replace(
                current.read(None if by is None else by.person.key, now),
                organization_name=state.organization_name or current.organization_name,
            )
            wait = self._pace.wait(look, [each.episode for each in opened.values()])
            due_at = now + wait * random.uniform(0.9, 1)  # noqa: S311 - spreads load, and is never late
            if current.state is WatchState.STALE:
                await wake_subject(transaction, STALE, stale_subject(current))
            after = await self._tell_week(transaction, after, now)
            due_at = due_at if after.digest_at is None else min(due_at, after.digest_at)
            released = await self._watches.save(transaction, current, after, due_at=due_at, lease=lease)
        self._metrics.watch_read(reading.source.value)
        return released

    def _reading(self, watch: Watch, state: BillingState, by: Consent | None) -> Reading:
        method = None if state.payment_method is None else method_key(state.payment_method)
        source = Source.VISIT if by is None else Source.POLL
        reading = Reading.of(state, self._clock.now(), method=method, source=source)
        assert reading is not None  # noqa: S101 - a state without a balance is not read
        if watch.credit:
            return reading._replace(credit=watch.credit, source=Source.SETTLED)
        return reading

    def _is_doubted(self, watch: Watch, before: Reading | None, reading: Reading) -> bool:
        """Tell whether a balance is read again before it counts."""
        if before is None or not is_doubtful(before, reading.balance, watch.lines):
            return False
        return watch.doubted_at is None or reading.at - watch.doubted_at < READ_AGAIN

    async def _judge(
        self, transaction: Transaction, watch: Watch, look: Look
    ) -> Mapping[EpisodeKind, StoredEpisode]:
        """Open, change and close episodes, and tell of those that may be told; return the open ones."""
        opened = await self._watches.episodes.open_of(transaction, watch.id)
        for kind, level in judge(look, {kind: each.episode for kind, each in opened.items()}).items():
            facts = facts_of(look, kind)
            found = opened.get(kind)
            if found is None:
                opened[kind] = await self._watches.episodes.open(transaction, watch.id, kind, level, facts)
                self._metrics.alert_opened(kind, look)
            elif level == 0:
                await self._watches.episodes.close(transaction, found, "back", facts)
                del opened[kind]
            else:
                await self._watches.episodes.change(transaction, found, level, facts)
                opened[kind] = replace(found, level=level, facts=facts)
        for kind, each in opened.items():
            await self._tell(transaction, watch, look, each)
            if self._is_old(each, look.now):
                await self._watches.episodes.change(transaction, each, each.level, facts_of(look, kind))
        return opened

    def _is_old(self, episode: StoredEpisode, now: datetime) -> bool:
        return now.timestamp() - float(episode.facts.get("at", 0)) >= EDIT_EVERY.total_seconds()

    async def _tell(
        self, transaction: Transaction, watch: Watch, look: Look, episode: StoredEpisode
    ) -> None:
        """Store a message to each reader, once; in quiet hours only of what cannot wait."""
        if episode.told_at is not None:
            return
        is_quiet = watch.quiet is not None and watch.quiet.until(look.now, watch.zone) is not None
        if is_quiet and (episode.kind, episode.level) in QUIET:
            return
        is_for_all = episode.kind in FOR_ALL
        for reader in await self._recipients(transaction, watch, for_all=is_for_all):
            await self._deliveries.add(transaction, message_about(EPISODE, episode.id, reader, look.now))
        await self._watches.episodes.told(transaction, episode)

    async def _tell_week(self, transaction: Transaction, watch: Watch, now: datetime) -> Watch:
        """Store a digest to each reader if it is due; return the watch with the next one."""
        due = watch.digest_at
        if due is None or now < due:
            return watch
        if now - due <= LATE:
            subject = f"{watch.id} {week_of(due, watch.zone)}"
            for reader in await self._recipients(transaction, watch):
                await self._deliveries.add(transaction, message_about(DIGEST, subject, reader, now))
        return replace(watch, digest_at=next_digest(now, watch.zone))

    async def _recipients(
        self, transaction: Transaction, watch: Watch, *, for_all: bool = True
    ) -> Sequence[Identity]:
        """Return who gets a message: the channel, if there is one and all may read it, or else people."""
        if for_all and watch.channel is not None:
            return [watch.channel]
        return await self._watches.readers(transaction, watch, for_all=for_all)

    async def tell_directly(self, watch: Watch, kind: str, subject: str) -> None:
        """Tell people what a channel does not get: an episode or a digest, by its kind of subject."""
        async with self._database.transaction() as transaction:
            for reader in await self._watches.readers(transaction, watch):
                notice = message_about(kind, subject, reader, transaction.now())
                await self._deliveries.add(transaction, notice)
        log.info("watch_worker.told_directly", watch=watch.id, kind=kind)

    async def _failed(self, lease: Lease[Watch], watch: Watch, retry_after: int | None) -> Released:
        """No reading came: nothing is told of it but, after hours, that none comes."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            current = await self._watches.held(transaction, watch.id) or watch
            after = current.failed(now)
            if await self._is_stale(transaction, after, now):
                after = await self._tell_stale(transaction, after.abandoned(now), now)
            wait = max(self._pace.usual, timedelta(seconds=retry_after or 0))
            released = await self._watches.save(transaction, current, after, due_at=now + wait, lease=lease)
        self._metrics.watch_read("failed")
        return released

    async def _is_stale(self, transaction: Transaction, watch: Watch, now: datetime) -> bool:
        """Tell whether so much was tried in vain that it is not the portal that is away."""
        if watch.failed_since is None or now - watch.failed_since < STALE_AFTER:
            return False
        others, working = await self._watches.others(transaction, watch.id, since=now - AN_HOUR)
        if others < OTHERS_NEEDED:
            return now - watch.failed_since >= ALONE_STALE_AFTER
        return 2 * working > others

    async def _abandoned(self, lease: Lease[Watch], watch: Watch) -> Released:
        """Nobody's connection reads it any more: tell those who were told so far."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            current = await self._watches.held(transaction, watch.id) or watch
            after = await self._tell_stale(transaction, current.abandoned(now), now)
            again = after.tells_stale_at() or now + AN_HOUR
            due_at = min(max(again, now + FRESH), now + AN_HOUR)
            return await self._watches.save(transaction, current, after, due_at=due_at, lease=lease)

    async def _tell_stale(self, transaction: Transaction, watch: Watch, now: datetime) -> Watch:
        """Tell that nobody watches, if it is time; return the watch as it is then."""
        at = watch.tells_stale_at()
        if at is None or now < at:
            return watch
        subject = stale_subject(watch)
        for reader in await self._watches.could_help(transaction, watch):
            await self._deliveries.add(transaction, message_about(STALE, subject, reader, now))
        log.warning("watch_worker.stale", watch=watch.id, told=watch.stale_told + 1)
        return watch.told_stale()


def stale_subject(watch: Watch) -> str:
    """Return how messages name a time in which nobody watches."""
    since = 0 if watch.stale_since is None else int(watch.stale_since.timestamp())
    return f"{watch.id}-{since}"
