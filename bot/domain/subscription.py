"""The plan, the plans it can change to, and what a change would do. Money is US dollars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from bot.domain.billing import PlanUsage, may_change_plan
from bot.domain.money import parse_wire

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from bot.domain.billing import Role, Usage


FREE_ORDER = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A plan on offer. `price` is per month, as the portal displays it; `monthly` is the allowance.

    `order` sorts from small to large; FREE_ORDER is the free plan.
    """

    id: str
    name: str
    order: int
    price: str | None
    monthly: Decimal | None
    is_current: bool
    is_enabled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CurrentPlan:
    """The current plan, and the change that is scheduled for the end of its cycle, if any."""

    tier_id: str
    name: str
    monthly: Decimal | None
    left: Decimal | None
    cycle_ends: date | None
    becomes: str | None = None
    becomes_on: date | None = None
    cancels: bool = False
    cancels_on: date | None = None

    @property
    def change_scheduled(self) -> bool:
        """Whether a change is scheduled that can be undone."""
        return self.cancels or self.becomes is not None

    @property
    def usage(self) -> PlanUsage:
        """The plan's usage, with the values that are known."""
        return PlanUsage(
            name=self.name,
            monthly=self.monthly,
            left=self.left,
            renews_on=None if self.change_scheduled else self.cycle_ends,
            ends_on=self.ends_on,
        )

    @property
    def ends_on(self) -> date | None:
        """When the plan ends, if it was canceled."""
        return (self.cancels_on or self.cycle_ends) if self.cancels else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """The answer of `GET /api/billing/subscription`. `is_team`: no personal plan (behavior 15)."""

    organization_id: str
    organization_name: str | None
    role: Role
    can_change_plan: bool | None
    is_team: bool
    current: CurrentPlan | None
    tiers: tuple[Tier, ...]
    manage_url: str
    applying: str | None = None
    """The name of a plan that was paid for a moment ago and that the portal does not show yet."""

    def plan_url(self, tier_id: str) -> str:
        """Return the portal's page with that plan preselected."""
        return f"{self.manage_url}&plan={quote(tier_id, safe='')}"

    def dated(self, usage: Usage) -> Usage:
        """Return the usage with the end of a plan that was canceled or changes: it does not renew then."""
        if usage.plan is None or self.current is None or not self.current.change_scheduled:
            return usage
        return replace(usage, plan=replace(usage.plan, renews_on=None, ends_on=self.current.ends_on))

    @property
    def may_change_plan(self) -> bool:
        """Whether this person may change the plan."""
        return may_change_plan(self.role, self.can_change_plan)

    @property
    def catalog(self) -> tuple[Tier, ...]:
        """The plans on offer, smallest first, without the free plan and disabled plans (behavior 60)."""
        on_offer = [tier for tier in self.tiers if tier.is_enabled and tier.order > FREE_ORDER]
        return tuple(sorted(on_offer, key=lambda tier: tier.order))

    @property
    def choices(self) -> tuple[Tier, ...]:
        """The plans that this person can change to here; none for a team or on the free plan.

        A cancellation is the way to the free plan, so it is not among the choices.
        """
        if self.is_team or self.current is None or not self.may_change_plan:
            return ()
        now_on = self.current.tier_id
        return tuple(tier for tier in self.catalog if not tier.is_current and tier.id != now_on)

    @property
    def larger(self) -> tuple[Tier, ...]:
        """The choices that are larger than the current plan; none if its own order is not known."""
        mine = None if self.current is None else self.known(self.current.tier_id)
        return () if mine is None else tuple(tier for tier in self.choices if tier.order > mine.order)

    def known(self, tier_id: str) -> Tier | None:
        """Return a plan that the portal names, a choice or not; None if it names no such plan."""
        return next((tier for tier in self.tiers if tier.id == tier_id), None)

    def price_of(self, tier_id: str) -> Decimal | None:
        """Return a plan's price a month (US dollars); None if it is not known."""
        tier = self.known(tier_id)
        price = None if tier is None else tier.price
        return None if price is None else parse_wire(price.strip().removeprefix("$").replace(",", ""))

    def named(self, name: str) -> Tier | None:
        """Return the only choice of that name, in any case; None if there is none, or several."""
        found = [tier for tier in self.choices if tier.name.casefold() == name.casefold()]
        return found[0] if len(found) == 1 else None

    def tier(self, tier_id: str) -> Tier | None:
        """Return one of the choices; None if there is no such choice."""
        return next((tier for tier in self.choices if tier.id == tier_id), None)


class Effect(StrEnum):
    """What a change would do; an unknown effect counts as BLOCKED (behavior 56)."""

    CHARGE_NOW = "charge_now"
    SCHEDULED = "scheduled"
    NO_OP = "no_op"
    BLOCKED = "blocked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What changing to a plan would do. `due_now` (US dollars) would be charged immediately."""

    effect: Effect
    reason: str | None
    current_name: str | None
    target_id: str
    target_name: str
    due_now: Decimal | None
    effective_on: date | None


class PlanChange(StrEnum):
    """A change to a plan that charges nothing."""

    SCHEDULE = "schedule"
    CANCEL = "cancel"
    KEEP = "keep"


class UpgradeStatus(StrEnum):
    """How an upgrade ended; any other value on the wire is ambiguous (behavior 59)."""

    UPGRADED = "upgraded"
    ALREADY_ON_TIER = "already_on_tier"
    REQUIRES_ACTION = "requires_action"
    PAYMENT_FAILED = "payment_failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradeResult:
    """The portal's answer to an upgrade; `recovery_url` is where to finish or fix the payment."""

    status: UpgradeStatus
    target_name: str | None = None
    reason: str | None = None
    recovery_url: str | None = None
