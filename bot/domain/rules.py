"""The limits that the app's operator sets, in addition to the portal's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.budget import BudgetUse
    from bot.domain.identity import Identity


class Rule(StrEnum):
    """Which operator's rule forbids an action."""

    READ_ONLY = "read_only"
    LOCKED = "locked"
    USERS = "users"
    CHANNELS = "channels"
    MAX_CHARGE = "max_charge"
    MAX_DAILY = "max_daily"
    MAX_AT_ONCE = "max_at_once"
    LOCKERS = "lockers"
    REQUESTS_OFF = "requests_off"
    TWO_PEOPLE = "two_people"
    """From this amount on two people of the organization decide, by its policy."""
    TWO_ELSEWHERE = "two_elsewhere"
    """The same, where requests are switched off."""
    BUDGET = "budget"
    """A budget of the organization lets nobody add so much in this month."""
    BUDGET_ASKS = "budget_asks"
    """A budget of the organization lets nobody add so much alone in this month."""
    POLICY_USERS = "policy_users"
    NOT_LET_IN = "not_let_in"
    """Another person is connected to the portal account, and has not let this one in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A stop of all spending in a workspace or organization. `locked_at` is in UTC."""

    locked_by: Identity
    locked_at: datetime
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlock:
    """Who released spending, by their Slack id, and when (UTC)."""

    by: str
    at: datetime


class RuleError(BillingError):
    """An operator's rule forbids an action. Amounts are US dollars."""

    def __init__(
        self,
        rule: Rule,
        *,
        limit: Decimal | None = None,
        left: Decimal | None = None,
        lock: Lock | None = None,
        channels: tuple[str, ...] = (),
        over: BudgetUse | None = None,
    ) -> None:
        super().__init__(rule.value)
        self.rule = rule
        self.limit = limit
        self.left = left
        self.lock = lock
        self.channels = channels
        self.over = over


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The operator's settings. People are Slack ids, alone or as `T0ACME:U0ADA`; empty allows everyone."""

    read_only: bool = False
    max_charge: Decimal | None = None
    max_daily: Decimal | None = None
    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    lockers: tuple[str, ...] = ()
    policy_users: tuple[str, ...] = ()
    """Who of those whom the portal lets may set the policy; empty allows all of them."""
    organizations: tuple[str, ...] = ()
    """Ids of the portal organizations that may be connected; empty allows every one."""
    one_person_per_account: bool = False
    """Whether a second Slack person is refused a portal account."""
    requests_off: bool = False
    """Whether nobody may ask for funds, or pay what was asked for."""
    match_email: bool = False
    """Whether the portal account's e-mail address must be that of the Slack profile."""

    def require_person(self, identity: Identity) -> None:
        """Check that a person may use the app. A person who may lock spending may also use the app.

        Raises:
            RuleError: only other people may use it.
        """
        if not self.allow_person(identity):
            raise RuleError(Rule.USERS)

    def allow_person(self, identity: Identity) -> bool:
        """Tell whether a person may use the app."""
        return not self.users or _named(identity, self.users) or _named(identity, self.lockers)

    def allow_policy(self, identity: Identity) -> bool:
        """Tell whether a person may set a policy, as far as the operator says."""
        return not self.policy_users or _named(identity, self.policy_users)

    def require_requests(self) -> None:
        """Check that people may ask for funds.

        Raises:
            RuleError: the operator has switched that off.
        """
        if self.requests_off:
            raise RuleError(Rule.REQUESTS_OFF)

    def require_channel(self, channel: str) -> None:
        """Check that a command may be used in this channel.

        Raises:
            RuleError: it may be used only in other channels.
        """
        if self.channels and channel not in self.channels:
            raise RuleError(Rule.CHANNELS, channels=self.channels)

    def require_no_channels(self) -> None:
        """Check that requests without a channel, from App Home's buttons, are allowed.

        Raises:
            RuleError: only certain channels are allowed.
        """
        if self.channels:
            raise RuleError(Rule.CHANNELS, channels=self.channels)

    def require_locker(self, identity: Identity) -> None:
        """Check that a person may lock and unlock spending.

        Raises:
            RuleError: the person is not on the operator's list.
        """
        if not _named(identity, self.lockers):
            raise RuleError(Rule.LOCKERS)

    def require(self, amount: Decimal, spent: Decimal | None) -> None:
        """Check a charge. `spent` is what the person spent in 24 hours; None skips that limit.

        Raises:
            RuleError: the amount exceeds the limit for one charge or for 24 hours.
        """
        if self.max_charge is not None and amount > self.max_charge:
            raise RuleError(Rule.MAX_CHARGE, limit=self.max_charge)
        left = self.left_of_day(spent)
        if left is not None and amount > left:
            raise RuleError(Rule.MAX_DAILY, limit=self.max_daily, left=left)

    def left_of_day(self, spent: Decimal | None) -> Decimal | None:
        """Return what is left of the daily limit for a person who has spent `spent`; None is no limit."""
        if self.max_daily is None or spent is None:
            return None
        return max(self.max_daily - spent, Decimal(0))

    @property
    def at_once(self) -> Decimal | None:
        """The most that may be charged without a confirmation of that charge; None is no limit."""
        return min((each for each in (self.max_charge, self.max_daily) if each is not None), default=None)

    def require_at_once(self, amount: Decimal) -> None:
        """Check an amount that will be charged without a confirmation each time.

        Raises:
            RuleError: the amount exceeds the limit for one charge or for 24 hours.
        """
        if self.at_once is not None and amount > self.at_once:
            raise RuleError(Rule.MAX_AT_ONCE, limit=self.at_once)


def _named(identity: Identity, entries: tuple[str, ...]) -> bool:
    return any(entry in {identity.user, identity.key} for entry in entries)
