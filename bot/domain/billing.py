"""The organization's billing as the portal reports it: state, cap, auto-reload and usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.errors import NotAllowedError, RefusalCode
from bot.domain.money import whole_cents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from bot.domain.budget import BudgetUse
    from bot.domain.identity import Account, Connection
    from bot.domain.money import Bounds
    from bot.domain.payment import PaymentMethod
    from bot.domain.watch_views import Watched

LOW_BALANCE = Decimal(5)


class Role(StrEnum):
    """A person's role in the organization; a role the portal adds later is UNKNOWN."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    FINANCE_ADMIN = "FINANCE_ADMIN"
    SECURITY_ADMIN = "SECURITY_ADMIN"
    MEMBER = "MEMBER"
    UNKNOWN = "UNKNOWN"


def may_change_plan(role: Role, capability: bool | None) -> bool:
    """Tell whether a person may. The capability decides; without it, OWNER and ADMIN (behaviors 2, 3)."""
    return role in {Role.OWNER, Role.ADMIN} if capability is None else capability


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlyCap:
    """What may be charged this month, in US dollars; `is_default_ceiling`: the portal set the limit."""

    limit: Decimal
    spent: Decimal
    is_default_ceiling: bool = False

    @property
    def left(self) -> Decimal:
        """What can still be charged this month, in whole cents, never below zero."""
        return whole_cents(max(Decimal(0), self.limit - self.spent))


class AutoReloadCardKind(StrEnum):
    """Which card auto-reload uses, compared with the card on file."""

    CANONICAL = "canonical"
    NONE = "none"
    DISTINCT = "distinct"


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReload:
    """Auto-reload: below `threshold`, the portal buys up to `reload_to` (US dollars).

    `card_kind` is None if the portal sends an unknown one.
    """

    enabled: bool
    threshold: Decimal | None
    reload_to: Decimal | None
    card_kind: AutoReloadCardKind | None = None
    card: PaymentMethod | None = None


class AutoReloadOrderError(ValueError):
    """The reload-to amount is not above the threshold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReloadChoice:
    """The requested auto-reload setting. The wire needs both amounts, also to switch it off."""

    enabled: bool
    threshold: Decimal
    reload_to: Decimal

    @classmethod
    def on(cls, threshold: Decimal, reload_to: Decimal, bounds: Bounds) -> AutoReloadChoice:
        """Check the amounts and return a choice to switch auto-reload on (behavior 21).

        Raises:
            AmountError: the threshold or reload-to lies outside what can be charged.
            AutoReloadOrderError: reload-to is not above the threshold.
        """
        bounds.check(threshold)
        bounds.check(reload_to)
        if reload_to <= threshold:
            raise AutoReloadOrderError
        return cls(enabled=True, threshold=threshold, reload_to=reload_to)

    @classmethod
    def off(cls, current: AutoReload) -> AutoReloadChoice:
        """Return a choice to switch auto-reload off, with the current amounts (behavior 21)."""
        zero = Decimal(0)
        return cls(enabled=False, threshold=current.threshold or zero, reload_to=current.reload_to or zero)


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingState:
    """The answer of `GET /api/billing/state`. Money is US dollars."""

    organization_id: str
    organization_name: str | None
    role: Role
    balance: Decimal | None
    billing_enabled: bool
    can_change_plan: bool | None
    presets: tuple[Decimal, ...]
    bounds: Bounds
    payment_method: PaymentMethod | None
    monthly_cap: MonthlyCap | None
    auto_reload: AutoReload | None
    portal_url: str

    @property
    def may_change_plan(self) -> bool:
        """Whether this person may change the plan and, with the organization's switch on, charge."""
        return may_change_plan(self.role, self.can_change_plan)

    @property
    def may_charge(self) -> bool:
        """Whether this person may change the plan and the organization's switch is on (behavior 4)."""
        return self.may_change_plan and self.billing_enabled

    def require_charging(self) -> None:
        """Check the two local conditions in order (behavior 1); the server checks card, scope and cap.

        Raises:
            NotAllowedError: ROLE_REQUIRED, then BILLING_DISABLED.
        """
        if not self.may_change_plan:
            raise NotAllowedError(RefusalCode.ROLE_REQUIRED, self.portal_url, role=self.role)
        if not self.billing_enabled:
            raise NotAllowedError(RefusalCode.BILLING_DISABLED, self.portal_url, role=self.role)

    def require_payment_method(self) -> None:
        """Check that the organization has a payment method.

        Raises:
            NotAllowedError: NO_PAYMENT_METHOD.
        """
        if self.payment_method is None:
            raise NotAllowedError(RefusalCode.NO_PAYMENT_METHOD, self.portal_url, role=self.role)


class BalanceLevel(StrEnum):
    """Whether paid use is possible, and whether the balance is low."""

    FREE = "free"
    LOW = "low"
    HEALTHY = "healthy"
    DEPLETED = "depleted"
    NEEDS_PLAN = "needs_plan"
    """Paid use needs a plan, even if there are top-ups."""
    BLOCKED = "blocked"
    """The portal does not allow paid use and gives no reason."""
    MEMBER_CAPPED = "member_capped"
    """This member has reached their own cap at the organization: adding funds does not help."""
    UNKNOWN = "unknown"
    """The portal does not say."""


class AccessReason(StrEnum):
    """Why paid use is possible or not (docs/portal.md, section 4.2). An unknown reason is read as None."""

    USABLE = "usable_credits"
    NOTHING_USABLE = "no_usable_credits"
    NO_SUBSCRIPTION = "no_active_subscription"
    ACCOUNT_MISSING = "account_missing"
    MEMBER_CAP = "member_spend_cap_exceeded"


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberCap:
    """A member's own spending limit at the organization, in US dollars; unknown values are None."""

    exceeded: bool = False
    limit: Decimal | None = None
    spent: Decimal | None = None
    left: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanUsage:
    """The plan's monthly allowance, in US dollars; unknown values are None.

    A negative `left` is an overage. `left` includes `rollover`, so it may exceed `monthly`. `renews_on` is
    when the billing cycle ends and the next begins; `ends_on` is when it ends and none follows.
    """

    name: str | None
    monthly: Decimal | None = None
    left: Decimal | None = None
    rollover: Decimal | None = None
    renews_on: date | None = None
    ends_on: date | None = None

    @property
    def overage(self) -> Decimal:
        """What was used beyond the plan; zero if nothing was (behavior 9)."""
        return max(Decimal(0), -(self.left or Decimal(0)))

    @property
    def used_share(self) -> Decimal | None:
        """The used share of the plan, 0 to 1; None if it cannot be computed."""
        if self.monthly is None or self.left is None or not self.monthly > 0:
            return None
        if self.left > self.monthly or (self.rollover or 0) > 0:  # `left` includes what rolled over
            return None
        return min(self.monthly, self.monthly - self.left) / self.monthly


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What is left to use, in US dollars, from the account call. Unknown values are None.

    `plan` is None without a plan. Only `allowed` says whether paid use is possible, and only `reason` says
    why; the amounts decide neither.
    """

    plan: PlanUsage | None = None
    topped_up: Decimal | None = None
    total: Decimal | None = None
    allowed: bool | None = None
    reason: AccessReason | None = None
    has_subscription: bool | None = None
    member_cap: MemberCap | None = None

    @property
    def level(self) -> BalanceLevel:
        """The level by what the portal allows, and only after that by the amounts (behavior 9)."""
        if self.reason is AccessReason.MEMBER_CAP or (
            self.member_cap is not None and self.member_cap.exceeded
        ):
            return BalanceLevel.MEMBER_CAPPED
        if self.allowed is False:
            return self._refused_level
        usable = self.usable
        if usable is None or (self.allowed is None and usable <= 0):
            return BalanceLevel.UNKNOWN
        return BalanceLevel.LOW if usable < LOW_BALANCE else BalanceLevel.HEALTHY

    @property
    def _refused_level(self) -> BalanceLevel:
        """The level when paid use is refused. It never denies funds that exist or a plan that may exist."""
        no_plan = self.plan is None and not self.has_subscription
        no_funds = self.topped_up == 0
        match self.reason:
            case AccessReason.NO_SUBSCRIPTION if not (no_plan and no_funds):
                return BalanceLevel.NEEDS_PLAN
            case AccessReason.NO_SUBSCRIPTION | AccessReason.NOTHING_USABLE:
                return BalanceLevel.FREE if no_plan and no_funds else BalanceLevel.DEPLETED
            case _:
                return BalanceLevel.BLOCKED

    @property
    def usable(self) -> Decimal | None:
        """What can be used in all; None if it is not known."""
        if self.total is not None:
            return self.total
        left = Decimal(0) if self.plan is None else self.plan.left
        if left is None or self.topped_up is None:
            return None
        return max(Decimal(0), left) + self.topped_up


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountInfo:
    """The answer of `GET /api/oauth/account`: the grant's account, and its usage."""

    account: Account
    usage: Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """The content of the overview at `read_at` (UTC).

    `usage` is None if the account call failed. `applying` names a plan that was paid for a moment ago and
    that the portal does not show yet. `may_ask`: this person may ask others for funds. `watched` is None if
    nobody has ever wanted the balance watched. `budgets` limit what this person adds.
    """

    state: BillingState
    usage: Usage | None
    connection: Connection
    read_at: datetime
    applying: str | None = None
    may_ask: bool = False
    watched: Watched | None = None
    budgets: Sequence[BudgetUse] = ()


class ChargeStatusKind(StrEnum):
    """The portal's status of a charge."""

    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeStatus:
    """The answer of `GET /api/billing/charge/{id}`; `amount` in US dollars if the server names it."""

    kind: ChargeStatusKind
    amount: Decimal | None = None
    reason: str | None = None
