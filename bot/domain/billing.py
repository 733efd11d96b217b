"""The organisation's billing as the portal tells it: state, card, cap, auto-reload, usage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.errors import NotAllowedError, RefusalCode

if TYPE_CHECKING:
    from datetime import date

    from bot.domain.identity import Account
    from bot.domain.money import Bounds

LOW_BALANCE = Decimal(5)


class Role(StrEnum):
    """A person's role in the organisation; a role the portal adds later is UNKNOWN."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    FINANCE_ADMIN = "FINANCE_ADMIN"
    SECURITY_ADMIN = "SECURITY_ADMIN"
    MEMBER = "MEMBER"
    UNKNOWN = "UNKNOWN"


def may_change_plan(role: Role, capability: bool | None) -> bool:
    """Tell who may: the capability decides both ways; without it OWNER and ADMIN (behaviours 2, 3)."""
    return role in {Role.OWNER, Role.ADMIN} if capability is None else capability


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """The card a charge would use. `last4` is empty for Link; `resolved_via` says why this card."""

    brand: str
    last4: str = ""
    resolved_via: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlyCap:
    """What may be charged this month, in US dollars; `is_default_ceiling`: nobody set it."""

    limit: Decimal
    spent: Decimal
    is_default_ceiling: bool = False

    @property
    def left(self) -> Decimal:
        """What can still be charged this month, never below zero."""
        return max(Decimal(0), self.limit - self.spent)


class AutoReloadCardKind(StrEnum):
    """Which card auto-reload uses beside the one on file."""

    CANONICAL = "canonical"
    NONE = "none"
    DISTINCT = "distinct"


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReload:
    """Below `threshold`, the portal buys up to `reload_to` (US dollars). An unknown card kind is None."""

    enabled: bool
    threshold: Decimal | None
    reload_to: Decimal | None
    card_kind: AutoReloadCardKind | None = None
    card: Card | None = None


class AutoReloadOrderError(ValueError):
    """Reload-to is not above the threshold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReloadChoice:
    """What somebody wants auto-reload to be. The wire needs both amounts to switch it off too."""

    enabled: bool
    threshold: Decimal
    reload_to: Decimal

    @classmethod
    def on(cls, threshold: Decimal, reload_to: Decimal, bounds: Bounds) -> AutoReloadChoice:
        """Check and make a choice to switch it on (behaviour 21).

        Raises:
            AmountError: reload-to lies outside what can be charged.
            AutoReloadOrderError: reload-to is not above the threshold.
        """
        bounds.check(reload_to)
        if reload_to <= threshold:
            raise AutoReloadOrderError
        return cls(enabled=True, threshold=threshold, reload_to=reload_to)

    @classmethod
    def off(cls, current: AutoReload) -> AutoReloadChoice:
        """Make a choice to switch it off, with the current amounts (behaviour 21)."""
        zero = Decimal(0)
        return cls(enabled=False, threshold=current.threshold or zero, reload_to=current.reload_to or zero)


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingState:
    """`GET /api/billing/state`, in the domain's words. Money is US dollars."""

    organisation_id: str
    organisation_name: str | None
    role: Role
    balance: Decimal | None
    billing_enabled: bool
    can_change_plan: bool | None
    presets: tuple[Decimal, ...]
    bounds: Bounds
    card: Card | None
    monthly_cap: MonthlyCap | None
    auto_reload: AutoReload | None
    portal_url: str

    @property
    def may_change_plan(self) -> bool:
        """Tell whether this person may change the plan, and with the switch on, charge."""
        return may_change_plan(self.role, self.can_change_plan)

    @property
    def may_charge(self) -> bool:
        """May change the plan, and the organisation's switch is on (behaviour 4)."""
        return self.may_change_plan and self.billing_enabled

    def require_charging(self) -> None:
        """Judge the two local gates in their order (behaviour 1); card, scope and cap are the server's.

        Raises:
            NotAllowedError: ROLE_REQUIRED, then BILLING_DISABLED.
        """
        if not self.may_change_plan:
            raise NotAllowedError(RefusalCode.ROLE_REQUIRED, self.portal_url)
        if not self.billing_enabled:
            raise NotAllowedError(RefusalCode.BILLING_DISABLED, self.portal_url)

    def require_card(self) -> None:
        """Let only an organisation with a card pass.

        Raises:
            NotAllowedError: NO_PAYMENT_METHOD.
        """
        if self.card is None:
            raise NotAllowedError(RefusalCode.NO_PAYMENT_METHOD, self.portal_url)


class BalanceLevel(StrEnum):
    """How much there is left to use."""

    FREE = "free"
    LOW = "low"
    HEALTHY = "healthy"
    DEPLETED = "depleted"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanUsage:
    """The plan's monthly dollars. `left` below zero is an overage; `renews_on` ends the cycle."""

    name: str | None
    monthly: Decimal
    left: Decimal
    rollover: Decimal | None = None
    renews_on: date | None = None

    @property
    def overage(self) -> Decimal:
        """What was used beyond the plan, zero when none (behaviour 9)."""
        return max(Decimal(0), -self.left)

    @property
    def used_share(self) -> Decimal:
        """The used part of the plan, 0 to 1."""
        if self.monthly <= 0:
            return Decimal(1)
        return min(Decimal(1), max(Decimal(0), (self.monthly - self.left) / self.monthly))


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Plan and top-up dollars, from the account call. Without a plan `plan` is None."""

    plan: PlanUsage | None
    topped_up: Decimal | None
    total: Decimal | None

    @property
    def level(self) -> BalanceLevel:
        """Free without a plan and without top-ups; low under $5; depleted at nothing (behaviour 9)."""
        left = max(Decimal(0), self.plan.left) if self.plan else Decimal(0)
        usable = left + (self.topped_up or Decimal(0)) if self.total is None else self.total
        if usable > 0:
            return BalanceLevel.LOW if usable < LOW_BALANCE else BalanceLevel.HEALTHY
        return BalanceLevel.DEPLETED if self.plan else BalanceLevel.FREE


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountInfo:
    """`GET /api/oauth/account`: whose grant this is, and what they can use."""

    account: Account
    usage: Usage


class ChargeStatusKind(StrEnum):
    """What the portal says of a charge."""

    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeStatus:
    """`GET /api/billing/charge/{id}`; `amount` in US dollars when the server names it."""

    kind: ChargeStatusKind
    amount: Decimal | None = None
    reason: str | None = None
