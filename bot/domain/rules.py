"""What the operator of the app allows, beside what the portal does."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity


class Rule(StrEnum):
    """Which of the operator's rules says no."""

    READ_ONLY = "read_only"
    LOCKED = "locked"
    USERS = "users"
    CHANNELS = "channels"
    MAX_CHARGE = "max_charge"
    MAX_DAILY = "max_daily"
    MAX_AT_ONCE = "max_at_once"
    LOCKERS = "lockers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """Somebody has stopped all spending of a workspace or organization. `locked_at` is in UTC."""

    locked_by: Identity
    locked_at: datetime
    reason: str | None


class RuleError(BillingError):
    """The operator's rules say no; the facts say why. Amounts are US dollars."""

    def __init__(
        self,
        rule: Rule,
        *,
        limit: Decimal | None = None,
        left: Decimal | None = None,
        lock: Lock | None = None,
        channels: tuple[str, ...] = (),
    ) -> None:
        super().__init__(rule.value)
        self.rule = rule
        self.limit = limit
        self.left = left
        self.lock = lock
        self.channels = channels


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The operator's settings. People are Slack ids, alone or as `T0ACME:U0ADA`; empty allows everybody."""

    read_only: bool = False
    max_charge: Decimal | None = None
    max_daily: Decimal | None = None
    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    lockers: tuple[str, ...] = ()

    def require_person(self, identity: Identity) -> None:
        """Let those pass who may use the app; who may lock it may use it.

        Raises:
            RuleError: others may.
        """
        if self.users and not _named(identity, self.users) and not _named(identity, self.lockers):
            raise RuleError(Rule.USERS)

    def require_channel(self, channel: str) -> None:
        """Let a command pass that was typed where it may be.

        Raises:
            RuleError: elsewhere.
        """
        if self.channels and channel not in self.channels:
            raise RuleError(Rule.CHANNELS, channels=self.channels)

    def require_no_channels(self) -> None:
        """Let pass what comes from no channel, App Home's buttons.

        Raises:
            RuleError: only certain channels are allowed.
        """
        if self.channels:
            raise RuleError(Rule.CHANNELS, channels=self.channels)

    def require_locker(self, identity: Identity) -> None:
        """Let those pass who may stop and release spending.

        Raises:
            RuleError: only others may, or nobody.
        """
        if not _named(identity, self.lockers):
            raise RuleError(Rule.LOCKERS)

    def require(self, amount: Decimal, spent: Decimal | None) -> None:
        """Let a charge pass beside what the person has spent in the last 24 hours, None if that is all one.

        Raises:
            RuleError: it is higher than any may be, or together they are more than one person may.
        """
        if self.max_charge is not None and amount > self.max_charge:
            raise RuleError(Rule.MAX_CHARGE, limit=self.max_charge)
        left = self.left_of_day(spent)
        if left is not None and amount > left:
            raise RuleError(Rule.MAX_DAILY, limit=self.max_daily, left=left)

    def left_of_day(self, spent: Decimal | None) -> Decimal | None:
        """Return what is left to a person who has spent so much in 24 hours; None is no limit."""
        if self.max_daily is None or spent is None:
            return None
        return max(self.max_daily - spent, Decimal(0))

    @property
    def at_once(self) -> Decimal | None:
        """What may be charged at once without a person's confirmation of it; None is no limit."""
        return min((each for each in (self.max_charge, self.max_daily) if each is not None), default=None)

    def require_at_once(self, amount: Decimal) -> None:
        """Let pass what may be charged at once without a person's confirmation of it.

        Raises:
            RuleError: it is higher than a charge, or a day, may be.
        """
        if self.at_once is not None and amount > self.at_once:
            raise RuleError(Rule.MAX_AT_ONCE, limit=self.at_once)


def _named(identity: Identity, entries: tuple[str, ...]) -> bool:
    return any(entry in {identity.user, identity.key} for entry in entries)
