"""What a watch tells people: episodes that open, get worse and close. All of it follows from the readings.

A level of 0 is no episode. An episode that is open closes only by its own condition, so that a balance
around a line tells once. Missing data is no data: without a new reading nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from bot.domain.reading import ZERO, Source, intervals
from bot.domain.runway import HOUR, Lasts, NoUse, busiest_hour, hours_of, last_hour, runway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot.domain.reading import Interval, Reading
    from bot.domain.runway import Hours, Runway

USUAL_LOW = Decimal(20)
BACK_AFTER = timedelta(minutes=5)
"""How far apart the two readings are that say that a balance is back."""

SILENT_AFTER = timedelta(minutes=30)
PROVEN_FOR = timedelta(days=14)
"""How long a reload that was seen proves that auto-reload works."""

NOTED_FOR = timedelta(hours=24)
"""How long a change of a setting is said, unless somebody knows of it."""

RACING = 3
"""More reloads than this in an hour are too many."""

SPIKE_HOURS = 6
SPIKE_TIMES = 3
SPIKE_LEAST = Decimal(2)
DAY = 24
RUNWAY_HOURS = {1: 3 * DAY, 2: DAY}
CAP_PARTS = {1: Decimal("0.8"), 2: Decimal("0.9"), 3: Decimal(1)}


class EpisodeKind(StrEnum):
    """What an episode is about."""

    LOW = "low"
    """Levels: 1 low, 2 critical, 3 empty."""
    RUNWAY = "runway"
    """Levels: 1 three days, 2 one day."""
    SPIKE = "spike"
    RELOAD_OFF = "reload_off"
    RELOAD_CHANGED = "reload_changed"
    RELOAD_SILENT = "reload_silent"
    RELOAD_RACING = "reload_racing"
    CARD_GONE = "card_gone"
    CARD_CHANGED = "card_changed"
    CAP = "cap"
    """Levels: 1 80 %, 2 90 %, 3 100 % of the monthly limit."""


LOW, CRITICAL, EMPTY = 1, 2, 3
QUIET: frozenset[tuple[EpisodeKind, int]] = frozenset(
    {
        (EpisodeKind.LOW, LOW),
        (EpisodeKind.RUNWAY, 1),
        (EpisodeKind.RELOAD_CHANGED, 1),
        (EpisodeKind.CARD_CHANGED, 1),
        (EpisodeKind.CAP, 1),
    }
)
"""Kinds and levels that quiet hours hold back."""

FOR_ALL = frozenset({EpisodeKind.LOW, EpisodeKind.RUNWAY, EpisodeKind.SPIKE})
"""What readers are told who may not charge: the portal shows them the balance alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """When a balance is low and critical, in US dollars; None: the usual."""

    low: Decimal | None = None
    critical: Decimal | None = None

    def low_at(self, reading: Reading) -> Decimal:
        """Return the line: as set, or 20 % above auto-reload's, or the usual one."""
        if self.low is not None:
            return self.low
        if reading.is_reload_on and reading.reload is not None and reading.reload.below is not None:
            return reading.reload.below * Decimal("1.2")
        return USUAL_LOW

    def critical_at(self, reading: Reading) -> Decimal:
        """Return the second line: as set, or a quarter of the first."""
        return self.low_at(reading) / 4 if self.critical is None else self.critical

    def back_at(self, reading: Reading) -> Decimal:
        """Return from which balance on it is not low any more."""
        low = self.low_at(reading)
        return max(low * Decimal("1.2"), low + 5)

    def level(self, reading: Reading) -> int:
        """Return the level of a reading; 0 if it is not low."""
        if reading.balance <= 0:
            return EMPTY
        if reading.balance < self.critical_at(reading):
            return CRITICAL
        return LOW if reading.balance < self.low_at(reading) else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Episode:
    """One that is open: its worst level, and since when (UTC)."""

    kind: EpisodeKind
    level: int
    opened_at: datetime


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is known at `now` (UTC): the readings, oldest first.

    `changed_here_at` is when somebody here last changed auto-reload through this app.
    """

    readings: Sequence[Reading]
    now: datetime
    lines: Lines
    changed_here_at: datetime | None = None

    @property
    def newest(self) -> Reading:
        """The last reading."""
        return self.readings[-1]

    @cached_property
    def runway(self) -> Runway:
        """How long the balance lasts."""
        return runway(self.readings, self.hours, self.now)

    @cached_property
    def intervals(self) -> list[Interval]:
        """What was used between the readings."""
        return intervals(self.readings)

    @cached_property
    def hours(self) -> Hours:
        """What was used in each of the last hours."""
        return hours_of(self.readings, self.now)

    @cached_property
    def whole(self) -> list[Reading]:
        """The readings that show auto-reload, cap and payment method too."""
        return [each for each in self.readings if each.sees_all]

    @cached_property
    def before(self) -> Look | None:
        """The same as it was at the reading before; None if there was none."""
        if len(self.readings) < 2:  # noqa: PLR2004 - this one, and one before
            return None
        return replace(self, readings=self.readings[:-1], now=self.readings[-2].at)

    @cached_property
    def reloads(self) -> list[datetime]:
        """When auto-reload was seen to have bought: a rise that is not ours, and about its size."""
        size = next((each.reload.up_to for each in reversed(self.whole) if each.reload), None)
        if size is None:
            return []
        return [
            each.end
            for each in self.intervals
            if each.elsewhere > 0 and (_is_about(each.elsewhere, size) or _is_about(each.ends_at, size))
        ]

    @property
    def is_reload_proven(self) -> bool:
        """Whether auto-reload is on, can pay, and was seen to work lately: low and runway are muted."""
        if not self.whole or not self.whole[-1].is_reload_on or self.whole[-1].method is None:
            return False
        latest = self.whole[-1]
        left = None if latest.cap_limit is None else latest.cap_limit - (latest.cap_spent or ZERO)
        size = latest.reload.up_to if latest.reload is not None else None
        has_room = left is None or size is None or left >= size
        return has_room and any(each > self.now - PROVEN_FOR for each in self.reloads)


def _is_about(amount: Decimal, size: Decimal) -> bool:
    return abs(amount - size) <= size / 10


def judge(look: Look, opened: Mapping[EpisodeKind, Episode]) -> dict[EpisodeKind, int]:
    """Return the new level of each kind whose level changes; 0 closes an episode."""
    changes = {}
    for kind, level_of in _LEVELS.items():
        episode = opened.get(kind)
        level = level_of(look, episode)
        if level != (0 if episode is None else episode.level):
            changes[kind] = level
    return changes


def _low(look: Look, episode: Episode | None) -> int:
    level = look.lines.level(look.newest)
    if episode is None:
        return 0 if level == LOW and look.is_reload_proven else level
    return 0 if _is_back(look, episode) else max(level, episode.level)


def _is_back(look: Look, episode: Episode) -> bool:
    """Tell whether a balance is back: for certain after our own charge, else by two readings."""
    line = look.lines.back_at(look.newest)
    if look.newest.balance < line:
        return False
    if look.newest.source is Source.SETTLED:
        return True
    since = look.newest.at
    for each in reversed(look.readings):
        if each.balance < line or each.at < episode.opened_at:
            break
        since = each.at
    return look.newest.at - since >= BACK_AFTER


def _runway(look: Look, episode: Episode | None) -> int:
    level = _runway_level(look)
    if episode is None or level >= episode.level:
        return level
    hours = Decimal(RUNWAY_HOURS[1]) * Decimal("1.5")
    if look.before is None or not (_is_long(look, hours) and _is_long(look.before, hours)):
        return episode.level
    return 0


def _runway_level(look: Look) -> int:
    lasts = look.runway
    if not isinstance(lasts, Lasts) or look.is_reload_proven:
        return 0
    if lasts.is_below(RUNWAY_HOURS[2]):
        return 2
    return 1 if lasts.is_below(RUNWAY_HOURS[1]) and not lasts.is_early else 0


def _is_long(look: Look, hours: Decimal) -> bool:
    lasts = look.runway
    return isinstance(lasts, NoUse) or (isinstance(lasts, Lasts) and lasts.is_above(hours))


def _spike(look: Look, episode: Episode | None) -> int:
    if _is_spike(look):
        # One reading may be wrong: the next comes after a minute.
        return 1 if episode is not None or (look.before is not None and _is_spike(look.before)) else 0
    if episode is None:
        return 0
    return 0 if look.now - episode.opened_at >= HOUR and not _had_spike(look) else 1


def _is_spike(look: Look) -> bool:
    if look.now - look.readings[0].at < DAY * HOUR:
        return False  # nothing to compare it with
    used, busiest = last_hour(look.hours), busiest_hour(look.hours)
    return used >= max(SPIKE_LEAST, SPIKE_TIMES * busiest) and look.newest.balance < used * SPIKE_HOURS


def _had_spike(look: Look) -> bool:
    """Tell whether a reading of the last hour was in a spike."""
    earlier = look.before
    while earlier is not None and earlier.now > look.now - HOUR:
        if _is_spike(earlier):
            return True
        earlier = earlier.before
    return False


def _is_ours(look: Look, since: datetime) -> bool:
    """Tell whether somebody here has changed auto-reload since then."""
    return look.changed_here_at is not None and look.changed_here_at >= since


def _reload_off(look: Look, episode: Episode | None) -> int:
    if not look.whole:
        return 0 if episode is None else episode.level
    if episode is not None:
        return 0 if look.whole[-1].is_reload_on else 1
    changed = _last_change(look)
    if changed is None or _is_ours(look, changed[0].at):
        return 0
    return 1 if changed[0].is_reload_on and not changed[1].is_reload_on else 0


def _reload_changed(look: Look, episode: Episode | None) -> int:
    if episode is not None:
        return 0 if look.now - episode.opened_at >= NOTED_FOR else 1
    changed = _last_change(look)
    if changed is None or _is_ours(look, changed[0].at):
        return 0
    before, after = changed
    return 1 if before.is_reload_on and after.is_reload_on and before.reload != after.reload else 0


def _last_change(look: Look) -> tuple[Reading, Reading] | None:
    """Return the two newest readings that show all, if the newest of them is the newest reading."""
    if len(look.whole) < 2 or look.whole[-1] is not look.newest:  # noqa: PLR2004 - a pair
        return None
    return look.whole[-2], look.whole[-1]


def _reload_silent(look: Look, episode: Episode | None) -> int:
    if not look.whole or not look.whole[-1].is_reload_on:
        return 0
    setting = look.whole[-1].reload
    if setting is None or setting.below is None:
        return 0
    if episode is not None:
        has_risen = any(each > episode.opened_at for each in look.reloads)
        return 0 if has_risen or look.newest.balance >= setting.below else 1
    since = look.newest.at
    for each in reversed(look.readings):
        if each.balance >= setting.below:
            break
        since = each.at
    has_risen = any(each > since for each in look.reloads)
    return 1 if look.newest.at - since >= SILENT_AFTER and not has_risen else 0


def _reload_racing(look: Look, episode: Episode | None) -> int:
    lately = sum(each > look.now - HOUR for each in look.reloads)
    if episode is None:
        return 1 if lately > RACING else 0
    return 1 if lately else 0


def _card_gone(look: Look, episode: Episode | None) -> int:
    if not look.whole:
        return 0 if episode is None else episode.level
    had_one = any(each.method is not None for each in look.whole[:-1])
    return 1 if look.whole[-1].method is None and (episode is not None or had_one) else 0


def _card_changed(look: Look, episode: Episode | None) -> int:
    if episode is not None:
        return 0 if look.now - episode.opened_at >= NOTED_FOR else 1
    changed = _last_change(look)
    if changed is None:
        return 0
    before, after = changed[0].method, changed[1].method
    return 1 if before is not None and after is not None and before != after else 0


def _cap(look: Look, episode: Episode | None) -> int:
    if not look.whole:
        return 0 if episode is None else episode.level
    latest = look.whole[-1]
    if latest.cap_limit is None or latest.cap_limit <= 0:
        return 0
    spent = latest.cap_spent or ZERO
    level = max((each for each, part in CAP_PARTS.items() if spent >= part * latest.cap_limit), default=0)
    size = latest.reload.up_to if latest.reload is not None and latest.is_reload_on else None
    if size is not None and latest.cap_limit - spent < size:
        level = max(level, 2)
    # A month that begins, or a limit that was raised, ends it; small corrections do not.
    return level if episode is None or level == 0 else max(level, episode.level)


_LEVELS: dict[EpisodeKind, Callable[[Look, Episode | None], int]] = {
    EpisodeKind.LOW: _low,
    EpisodeKind.RUNWAY: _runway,
    EpisodeKind.SPIKE: _spike,
    EpisodeKind.RELOAD_OFF: _reload_off,
    EpisodeKind.RELOAD_CHANGED: _reload_changed,
    EpisodeKind.RELOAD_SILENT: _reload_silent,
    EpisodeKind.RELOAD_RACING: _reload_racing,
    EpisodeKind.CARD_GONE: _card_gone,
    EpisodeKind.CARD_CHANGED: _card_changed,
    EpisodeKind.CAP: _cap,
}


def is_doubtful(before: Reading | None, balance: Decimal, lines: Lines) -> bool:
    """Tell whether a balance has fallen so far that it is read again before it counts."""
    if before is None or before.balance <= 0:
        return False
    has_vanished = balance == 0 and before.balance >= lines.low_at(before)
    return has_vanished or balance < before.balance / 10
