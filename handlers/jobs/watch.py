"""The job of a watch, and the content of its messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from blocks.alerts import alert_message, alert_reply, read_amount, stale_message, watched_again_message
from blocks.digest import digest_message
from blocks.words import person
from bot.domain.delivery import Drawing, Reply, is_channel
from bot.domain.episode import EpisodeKind
from bot.domain.watch import WatchState
from bot.services.watch_worker import stale_subject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from blocks.kit import Message
    from bot.domain.delivery import Delivery
    from bot.domain.watch import Watch
    from bot.engine import Lease, Released
    from bot.runtime import Runtime
    from bot.storage.episodes import StoredEpisode

A_DAY = timedelta(days=1)
MOST_STILL = 3
"""How often people are told that an episode is still open."""

DRAWN = frozenset({EpisodeKind.LOW, EpisodeKind.RUNWAY, EpisodeKind.SPIKE})
"""What a picture of the last thirty days explains."""

WEEK_HOURS = 168
TEN = Decimal(10)


async def advance_watch(runtime: Runtime, lease: Lease[Watch]) -> Released | datetime | None:
    """Read the balance, and judge it."""
    return await runtime.watch_worker.advance(lease)


async def draw_episode(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what an alert says to its reader now, and the reply about what has happened since."""
    episode = await runtime.watches.episodes.get(delivery.subject_id)
    watch = None if episode is None else await runtime.watches.get(episode.watch_id)
    if episode is None or watch is None:
        return None
    if await _stays_direct(runtime, watch, delivery):
        return None
    now = runtime.clock.now()
    link = await runtime.links.get(delivery.recipient)
    snooze = await runtime.watches.episodes.snoozed(episode.id, delivery.recipient.key)
    is_snoozed = snooze is not None and snooze.holds(episode, now) and episode.closed_at is None
    is_drawn = episode.kind in DRAWN and episode.closed_at is None
    still = 0 if is_snoozed else min(MOST_STILL, (now - episode.worse_at) // A_DAY)
    message = alert_message(
        episode,
        watch,
        may_charge=link is not None and bool(link.may_charge),
        ask=_ask(episode),
        is_snoozed=is_snoozed,
        watcher=await _name(runtime, watch) if is_channel(delivery.recipient) else None,
        past=await runtime.watches.past(watch, now) if is_drawn else (),
    )
    reply = None if is_snoozed else alert_reply(episode, watch, still=still)
    is_news = max(episode.worse_at, episode.closed_at or episode.worse_at) > delivery.created_at or still
    return Drawing(
        message=message.json,
        reply=_reply(reply, episode, still) if is_news else None,
        look_again=_look_again(episode, now),
        otherwise=_otherwise(runtime, watch, delivery),
    )


async def _stays_direct(runtime: Runtime, watch: Watch, delivery: Delivery) -> bool:
    """Tell whether a channel does not get a new message now; people are then told directly."""
    if not is_channel(delivery.recipient) or delivery.ts is not None:
        return False
    if await runtime.people.channels.problem(delivery.recipient, delivery.recipient.user) is None:
        return False
    await runtime.watch_worker.tell_directly(watch, delivery.subject_kind, delivery.subject_id)
    return True


def _otherwise(runtime: Runtime, watch: Watch, delivery: Delivery) -> Callable[[], Awaitable[None]] | None:
    """Return what to do if a channel takes no post after all."""
    if not is_channel(delivery.recipient):
        return None
    return partial(runtime.watch_worker.tell_directly, watch, delivery.subject_kind, delivery.subject_id)


async def _name(runtime: Runtime, watch: Watch) -> str:
    """Return the name of the watcher, for a channel: a mention would call them."""
    if watch.watcher is None or watch.channel is None:
        return person(None, "")
    user = watch.watcher.rpartition(":")[2]
    return person(await runtime.members.name(replace(watch.channel, user=user)), "")


def _ask(episode: StoredEpisode) -> Decimal | None:
    """Return the amount that lasts seven days, in tens of dollars; None without a rate."""
    near, balance = episode.facts.get("near"), episode.facts.get("balance")
    if near is None or balance is None or read_amount(near) <= 0:
        return None
    rate = max(read_amount(balance), Decimal(0)) / read_amount(near)
    missing = rate * WEEK_HOURS - max(read_amount(balance), Decimal(0))
    return None if missing <= 0 else (missing // TEN + 1) * TEN


def _look_again(episode: StoredEpisode, now: datetime) -> timedelta | None:
    """Return when to say that it is still so."""
    if episode.closed_at is not None:
        return None
    days = (now - episode.worse_at) // A_DAY
    return None if days >= MOST_STILL else episode.worse_at + (days + 1) * A_DAY - now


def _reply(message: Message | None, episode: StoredEpisode, still: int) -> Reply | None:
    if message is None:
        return None
    key = (
        "closed"
        if episode.closed_at is not None
        else f"still-{still}"
        if still
        else f"level-{episode.level}"
    )
    return Reply(key=key, message=message.json)


async def draw_digest(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what a week was like; nothing if nothing was used, and nothing happened."""
    found = await runtime.digests.of(delivery.subject_id)
    if found is None or not found[1].has_news or await _stays_direct(runtime, found[0], delivery):
        return None
    link = await runtime.links.get(delivery.recipient)
    may_charge = link is not None and bool(link.may_charge)
    return Drawing(
        message=digest_message(
            found[1],
            may_charge=may_charge,
            watch_id=found[0].id,
            past=await runtime.watches.past(found[0], found[1].look.now),
        ).json,
        otherwise=_otherwise(runtime, found[0], delivery),
    )


async def draw_stale(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return that nobody watches, or that somebody does again."""
    watch = await runtime.watches.get(delivery.subject_id.partition("-")[0])
    if watch is None:
        return None
    if watch.state is not WatchState.STALE or stale_subject(watch) != delivery.subject_id:
        return Drawing(message=watched_again_message(watch).json)
    message = stale_message(watch, watch.watcher)
    is_again = watch.stale_told > 1
    return Drawing(
        message=message.json,
        reply=Reply(key=f"stale-{watch.stale_told}", message=message.json) if is_again else None,
    )
