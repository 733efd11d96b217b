"""The subscription (docs/portal.md, section 8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

from bot.domain.charge import FailureReason
from bot.domain.money import payable
from bot.domain.subscription import (
    FREE_ORDER,
    CurrentPlan,
    Effect,
    Preview,
    Subscription,
    Tier,
    UpgradeResult,
    UpgradeStatus,
)
from bot.domain.text import (
    IDENTIFIER,
    NAME,
    shortened,
)
from bot.portal.hosts import manage_subscription_url, portal_link
from bot.portal.schemas.billing import OrganizationWire  # noqa: TC001 - pydantic reads it
from bot.portal.schemas.fields import (
    Day,
    Flag,
    Link,
    Money,
    Name,
    Optional,
    Sentence,
    UnusableAnswerError,
    Wire,
    Word,
    line,
    read_cents,
    read_enabled,
    read_objects,
    read_order,
    read_price,
    whole_id,
)

_BY_REASON = {
    "authentication_required": UpgradeStatus.REQUIRES_ACTION,
    "subscription_payment_intent_requires_action": UpgradeStatus.REQUIRES_ACTION,
    "card_declined": UpgradeStatus.PAYMENT_FAILED,
}
"""Reasons that decide how an upgrade failed, whatever the status of a failure beside them says."""

TIER_ID = 150
"""The longest plan id: a menu option's value must hold it."""

MOST_TIERS = 50


class CurrentPlanWire(Wire):
    """`current` of the subscription call; the `*Credits` numbers are US dollars."""

    # Only compared and shown, so an id that is too long may be shortened.
    tier_id: Annotated[str | None, line(IDENTIFIER)] = None
    tier_name: Name = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    cycle_ends_at: Day = None
    pending_downgrade_tier_name: Name = None
    pending_downgrade_at: Day = None
    cancel_at_period_end: Flag = None
    cancellation_effective_at: Day = None

    def to_domain(self) -> CurrentPlan | None:
        """Return the current plan; None for the free plan, which has no id."""
        if self.tier_id is None:
            return None
        return CurrentPlan(
            tier_id=self.tier_id,
            name=self.tier_name or shortened(self.tier_id, NAME),
            monthly=self.monthly_credits,
            left=self.credits_remaining,
            cycle_ends=self.cycle_ends_at,
            becomes=self.pending_downgrade_tier_name,
            becomes_on=self.pending_downgrade_at,
            cancels=self.cancel_at_period_end or False,
            cancels_on=self.cancellation_effective_at,
        )


class TierWire(Wire):
    """One of `tiers` of the subscription call."""

    tier_id: Annotated[str | None, whole_id(TIER_ID)] = None
    name: Name = None
    tier_order: Annotated[int, BeforeValidator(read_order)] = FREE_ORDER
    dollars_per_month_display: Annotated[str | None, BeforeValidator(read_price)] = None
    monthly_credits: Money = None
    is_current: Flag = None
    is_enabled: Annotated[bool, BeforeValidator(read_enabled)] = True

    def to_domain(self) -> Tier | None:
        """Return the plan on offer; None without an id that fits in a menu."""
        if self.tier_id is None:
            return None
        return Tier(
            id=self.tier_id,
            name=self.name or shortened(self.tier_id, NAME),
            order=self.tier_order,
            price=self.dollars_per_month_display,
            monthly=self.monthly_credits,
            is_current=self.is_current or False,
            is_enabled=self.is_enabled,
        )


class SubscriptionStateWire(Wire):
    """`GET /api/billing/subscription`."""

    org: OrganizationWire
    context: Word = None
    can_change_plan: Flag = None
    current: Optional[CurrentPlanWire] = None
    tiers: Annotated[list[TierWire], BeforeValidator(read_objects)] = []

    def to_domain(self, base: str) -> Subscription:
        """Return the subscription; its link leads to the grant's own deployment.

        If two plans have the same id, the first is used. At most MOST_TIERS plans are kept for a menu.
        """
        tiers = [tier for wire in self.tiers if (tier := wire.to_domain()) is not None]
        unique = list({tier.id: tier for tier in reversed(tiers)}.values())[::-1]
        return Subscription(
            organization_id=self.org.id,
            organization_name=self.org.name or self.org.slug,
            role=self.org.domain_role,
            can_change_plan=self.can_change_plan,
            is_team=self.context == "team",
            current=self.current.to_domain() if self.current else None,
            tiers=tuple(unique[:MOST_TIERS]),
            manage_url=manage_subscription_url(base, self.org.id),
        )


class PreviewWire(Wire):
    """`POST /api/billing/subscription/preview`."""

    effect: Word = None
    reason: Sentence = None
    current_tier_name: Name = None
    target_tier_id: Annotated[str | None, whole_id(TIER_ID)] = None
    target_tier_name: Name = None
    amount_due_now_cents: Annotated[int | None, BeforeValidator(read_cents)] = None
    effective_at: Day = None

    def to_domain(self, tier_id: str) -> Preview:
        """Return what the change would do; a charge without a valid amount counts as blocked."""
        due = None if self.amount_due_now_cents is None else Decimal(self.amount_due_now_cents) / 100
        known = {effect.value for effect in Effect}
        effect = Effect(self.effect) if self.effect in known else Effect.BLOCKED
        if effect is Effect.CHARGE_NOW and (due is None or not payable(due)):
            effect = Effect.BLOCKED
        return Preview(
            effect=effect,
            reason=self.reason,
            current_name=self.current_tier_name,
            target_id=self.target_tier_id or tier_id,
            target_name=self.target_tier_name or shortened(tier_id, NAME),
            due_now=due,
            effective_on=self.effective_at,
        )


class MessageWire(Wire):
    """The answer to scheduling, cancelling or undoing a change."""

    message: Sentence = None


class UpgradeWire(Wire):
    """`POST /api/billing/subscription/upgrade`."""

    status: Word = None
    target_tier_name: Name = None
    reason: Word = None
    recovery_url: Link = None

    def to_domain(self, base: str) -> UpgradeResult:
        """Return how the upgrade ended. A known reason overrides the status.

        Raises:
            UnusableAnswerError: the status is unknown or contradicts the reason; it may or may not have
                been charged.
        """
        return UpgradeResult(
            status=self._final_status(),
            target_name=self.target_tier_name,
            reason=self._final_reason(),
            recovery_url=portal_link(base, self.recovery_url) if self.recovery_url else None,
        )

    def _final_status(self) -> UpgradeStatus:
        by_reason = _BY_REASON.get(self.reason or "")
        if by_reason is None and self.status in set(UpgradeStatus):
            return UpgradeStatus(self.status)
        done = self.status in {UpgradeStatus.UPGRADED.value, UpgradeStatus.ALREADY_ON_TIER.value}
        if by_reason is None or done:
            raise UnusableAnswerError("UpgradeWire: status")
        return by_reason

    def _final_reason(self) -> str | None:
        """Return why it failed; a failed payment without a reason counts as declined."""
        unexplained = self.status == UpgradeStatus.PAYMENT_FAILED.value and self.reason is None
        return FailureReason.CARD_DECLINED.value if unexplained else self.reason
