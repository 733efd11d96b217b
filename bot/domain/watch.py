"""A watch on an organization's balance: whose connection reads it, who is told, and when not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.episode import Lines
from bot.domain.identity import Identity
from bot.domain.reading import ZERO
from bot.domain.working_hours import zone_named

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.request import OrganizationKey

STALE_AFTER = timedelta(hours=4)
"""Without a reading for so long, people are told that nobody watches."""

STALE_AGAIN = (timedelta(hours=24), timedelta(days=7))
"""After so long they are told again, each time after the last."""

READ_AGAIN = timedelta(seconds=60)
"""After so long a reading that cannot be right is read again."""


class WatchState(StrEnum):
    """Whether a balance is being read."""

    ON = "on"
    STALE = "stale"
    """Nobody's connection reads it any more."""
    OFF = "off"
    """Nobody wants it watched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuietHours:
    """Hours of the watch's zone in which what can wait is not told; they may pass midnight."""

    begins: time
    ends: time

    def until(self, now: datetime, zone: str) -> datetime | None:
        """Return when they end (UTC), if `now` (UTC) lies in them; None otherwise."""
        local = now.astimezone(zone_named(zone))
        passes_midnight = self.begins >= self.ends
        at = local.time()
        is_quiet = at >= self.begins or at < self.ends if passes_midnight else self.begins <= at < self.ends
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1) if passes_midnight and at >= self.begins else local.date()
        return datetime.combine(day, self.ends, local.tzinfo).astimezone(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """One watch. Times are UTC; `zone` is an IANA name. A method named after an event returns the next."""

    id: str
    key: OrganizationKey
    organization_name: str | None
    zone: str
    state: WatchState
    created_at: datetime
    enterprise: str = ""
    team: str = ""
    lines: Lines = field(default_factory=Lines)
    quiet: QuietHours | None = None
    watcher: str | None = None
    """The key of the person with whose connection it was read last."""
    read_at: datetime | None = None
    """When it was read last."""
    failed_since: datetime | None = None
    """Since when no reading has come, though it was tried."""
    doubted_at: datetime | None = None
    """When a balance was read that cannot be right; it counts if the next one says the same."""
    stale_since: datetime | None = None
    stale_told: int = 0
    """How often people were told that nobody watches."""
    credit: Decimal = ZERO
    """What our own charges have added since the last reading, in US dollars."""
    changed_here_at: datetime | None = None
    """When somebody changed auto-reload through this app."""
    digest_at: datetime | None = None
    """When the next weekly digest is due; None if it is off."""
    post_to: str | None = None
    """The private channel where what everybody may know goes; None: direct messages."""

    @property
    def channel(self) -> Identity | None:
        """The channel that gets a message instead of people; None if people get it themselves."""
        if self.post_to is None:
            return None
        return Identity(enterprise=self.enterprise, team=self.team, user=self.post_to)

    def read(self, by: str | None, now: datetime) -> Watch:
        """A reading came; `by` is the key of the watcher, None for a visit."""
        return replace(
            self,
            state=WatchState.ON,
            watcher=by or self.watcher,
            read_at=now,
            failed_since=None,
            doubted_at=None,
            stale_since=None,
            stale_told=0,
            credit=ZERO,
        )

    def credited(self, amount: Decimal) -> Watch:
        """One of our own charges was settled."""
        return replace(self, credit=self.credit + amount)

    def doubted(self, now: datetime) -> Watch:
        """A balance was read that cannot be right."""
        return replace(self, doubted_at=now)

    def failed(self, now: datetime) -> Watch:
        """No reading came, though it was tried."""
        return replace(self, failed_since=self.failed_since or now)

    def abandoned(self, now: datetime) -> Watch:
        """Nobody's connection reads it any more."""
        return replace(self, state=WatchState.STALE, stale_since=self.stale_since or now)

    def ended(self) -> Watch:
        """Nobody wants it watched any more."""
        return replace(self, state=WatchState.OFF, stale_since=None, stale_told=0, failed_since=None)

    def told_stale(self) -> Watch:
        """People were told that nobody watches."""
        return replace(self, stale_told=self.stale_told + 1)

    def tells_stale_at(self) -> datetime | None:
        """Return when people are told next that nobody watches; None if they were told often enough."""
        if self.stale_since is None or self.stale_told > len(STALE_AGAIN):
            return None
        return self.stale_since + sum(STALE_AGAIN[: self.stale_told], timedelta(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """What one person wants of a watch: to read with their connection, and to be told. Times are UTC."""

    watch_id: str
    person: Identity
    watches: bool
    tells: bool
    since: datetime
    sees_all: bool = False
    """Whether the portal shows them cap, auto-reload and payment method, as far as is known."""
