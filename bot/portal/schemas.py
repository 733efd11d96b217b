"""The portal's JSON, read leniently, turned into the domain's values (contract, "Billing", "Account").

What is optional on the wire may also be malformed: it then counts as absent. What a screen cannot do
without (the organization's id) makes the whole answer unusable. Text is bounded here, once: whatever
passes fits the database and Slack's screens.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from bot.domain.billing import (
    AccessReason,
    AccountInfo,
    AutoReload,
    AutoReloadCardKind,
    BillingState,
    ChargeStatus,
    ChargeStatusKind,
    MemberCap,
    MonthlyCap,
    PlanUsage,
    Role,
    Usage,
)
from bot.domain.charge import FailureReason
from bot.domain.errors import NoOrganizationError
from bot.domain.identity import Account
from bot.domain.money import Bounds, parse_wire, payable, show, whole_cents, whole_cents_up
from bot.domain.payment import CARD, PaymentMethod
from bot.domain.payment import LINK as METHOD_LINK
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
from bot.portal.hosts import manage_subscription_url, portal_link
from bot.portal.text import (
    CHARGE_ID,
    EMAIL,
    IDENTIFIER,
    LINK,
    NAME,
    SENTENCE,
    WORD,
    clean,
    shortened,
    whole,
)

_BY_REASON = {
    "authentication_required": UpgradeStatus.REQUIRES_ACTION,
    "subscription_payment_intent_requires_action": UpgradeStatus.REQUIRES_ACTION,
    "card_declined": UpgradeStatus.PAYMENT_FAILED,
}
"""Reasons of an upgrade that say how it ended, whatever the status beside them."""

TIER_ID = 150
"""A menu carries a plan's id as its option's value."""

MOST_TIERS = 50

MOST_SECONDS = 30 * 24 * 3600
"""The longest span of OAuth that is believed: no grant lives longer."""


class UnusableAnswerError(ValueError):
    """The JSON lacks what the call is for."""


def _line(most: int) -> BeforeValidator:
    """Read text as one line of so many characters."""
    return BeforeValidator(lambda value: clean(value, most) if isinstance(value, str) else None)


def _whole(most: int) -> BeforeValidator:
    """Read an id as it stands; a number stands for its digits, and one that does not fit for none."""

    def read_id(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**most else None
        return whole(value, most) if isinstance(value, str) else None

    return BeforeValidator(read_id)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


def _price(value: object) -> str | None:
    """Keep a price as displayed: `20`, `$20`, or a number."""
    amount = parse_wire(value)
    if amount is not None:
        return show(amount)
    return clean(value, _PRICE) if isinstance(value, str) else None


def _cents(value: object) -> int | None:
    """Read whole cents, also written `4630.0`; not below zero."""
    amount = parse_wire(value)
    return int(amount) if amount is not None and amount >= 0 and amount == int(amount) else None


def _order(value: object) -> int:
    amount = parse_wire(value)
    return FREE_ORDER if amount is None or amount != int(amount) else int(amount)


def _seconds(value: object) -> int | None:
    """Read a span in whole seconds; what is none, or longer than any token lives, counts as absent."""
    amount = None if isinstance(value, str) else parse_wire(value)
    usable = amount is not None and 0 <= amount <= MOST_SECONDS and amount == int(amount)
    return int(amount) if amount is not None and usable else None


def _is_enabled(value: object) -> bool:
    return value if isinstance(value, bool) else True


def _objects(value: object) -> list[object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _amounts(value: object) -> list[Decimal]:
    parsed = (parse_wire(each) for each in value) if isinstance(value, list) else ()
    return [amount for amount in dict.fromkeys(parsed) if amount is not None and payable(amount)]


def parse_moment(value: object) -> datetime | None:
    """Read an ISO 8601 date or moment as UTC; None when unreadable."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _date(value: object) -> date | None:
    moment = parse_moment(value)
    return moment.date() if moment else None


Name = Annotated[str | None, _line(NAME)]
Sentence = Annotated[str | None, _line(SENTENCE)]
Word = Annotated[str | None, _line(WORD)]
"""A word of the wire (a kind, a status, a reason), or a card's brand or digits."""
Link = Annotated[str | None, _whole(LINK)]
Identifier = Annotated[str | None, _whole(IDENTIFIER)]
Required = Annotated[str, _whole(IDENTIFIER)]
"""An id without which the whole answer is unusable."""
Secret = Annotated[str, _whole(16_000)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Money = Annotated[Decimal | None, BeforeValidator(parse_wire)]
Amounts = Annotated[list[Decimal], BeforeValidator(_amounts)]
Day = Annotated[date | None, BeforeValidator(_date)]
_PRICE = 20

_Model = TypeVar("_Model", bound="Wire")
_Nested = TypeVar("_Nested")
Optional = Annotated[_Nested | None, BeforeValidator(_object)]


class Wire(BaseModel):
    """A JSON object with camelCase names; what is not named here is ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class SnakeWire(Wire):
    """A JSON object with snake_case names (the OAuth routes)."""

    model_config = ConfigDict(alias_generator=None, frozen=True)


def read(model: type[_Model], body: object) -> _Model:
    """Validate a JSON object.

    Raises:
        UnusableAnswerError: a required field is missing or malformed. The values are not repeated.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise UnusableAnswerError(f"{model.__name__}: {fields}") from None


class PaymentMethodWire(Wire):
    """`paymentMethod` of the billing state, or a card of an older server; `last4` may be empty (Link)."""

    kind: Word = None
    brand: Word = None
    last4: Word = None
    wallet: Word = None
    email: Annotated[str | None, _line(EMAIL)] = None
    resolved_via: Word = None

    def to_domain(self, *, kind: str = "") -> PaymentMethod:
        """Return the method; `kind` is its kind where the wire names none."""
        return PaymentMethod(
            kind=self.kind or kind,
            brand=self.brand or "",
            last4=self.last4 or "",
            wallet=self.wallet,
            email=self.email,
            resolved_via=self.resolved_via,
        )


class OrganizationWire(Wire):
    """`org` of the billing calls."""

    id: Required
    name: Name = None
    slug: Identifier = None
    role: Word = None

    @property
    def domain_role(self) -> Role:
        """The role; an unknown one is UNKNOWN."""
        return Role.__members__.get(self.role or "", Role.UNKNOWN)


class BoundsWire(Wire):
    """`bounds` of the billing state."""

    min_usd: Money = None
    max_usd: Money = None

    def to_domain(self) -> Bounds:
        """Return what can be charged, in whole cents within the bounds."""
        return Bounds(
            minimum=None if self.min_usd is None else whole_cents_up(self.min_usd),
            maximum=None if self.max_usd is None else whole_cents(self.max_usd),
        )


class MonthlyCapWire(Wire):
    """`monthlyCap` of the billing state."""

    limit_usd: Money = None
    spent_this_month_usd: Money = None
    is_default_ceiling: Flag = None

    def to_domain(self) -> MonthlyCap | None:
        """Return the cap, None without a limit."""
        if self.limit_usd is None:
            return None
        return MonthlyCap(
            limit=self.limit_usd,
            spent=self.spent_this_month_usd or Decimal(0),
            is_default_ceiling=self.is_default_ceiling or False,
        )


class AutoReloadWire(Wire):
    """`autoReload` of the billing state."""

    enabled: Flag = None
    threshold_usd: Money = None
    reload_to_usd: Money = None
    card: Optional[PaymentMethodWire] = None

    def to_domain(self) -> AutoReload:
        """Return the setting; an unknown card kind is ignored (behavior 18)."""
        kind = (self.card.kind or "") if self.card else ""
        known = {each.value for each in AutoReloadCardKind}
        return AutoReload(
            enabled=self.enabled or False,
            threshold=self.threshold_usd,
            reload_to=self.reload_to_usd,
            card_kind=AutoReloadCardKind(kind) if kind in known else None,
            card=self.card.to_domain() if self.card and self.card.brand and kind in known else None,
        )


class BillingStateWire(Wire):
    """`GET /api/billing/state`."""

    org: OrganizationWire
    balance_usd: Money = None
    cli_billing_enabled: Flag = None
    can_change_plan: Flag = None
    charge_presets: Amounts = []
    bounds: Optional[BoundsWire] = None
    card: Optional[PaymentMethodWire] = None
    payment_method: Optional[PaymentMethodWire] = None
    monthly_cap: Optional[MonthlyCapWire] = None
    auto_reload: Optional[AutoReloadWire] = None
    portal_url: Link = None

    @model_validator(mode="before")
    @classmethod
    def _without_misshapen_method(cls, body: object) -> object:
        """Count a `paymentMethod` that is neither an object nor null as absent: then `card` decides."""
        if isinstance(body, dict) and not isinstance(body.get("paymentMethod"), dict | None):
            return {name: value for name, value in body.items() if name != "paymentMethod"}
        return body

    def to_domain(self, base: str) -> BillingState:
        """Return the state; links become absolute against `base`."""
        bounds = self.bounds or BoundsWire()
        return BillingState(
            organisation_id=self.org.id,
            organisation_name=self.org.name or self.org.slug,
            role=self.org.domain_role,
            balance=self.balance_usd,
            billing_enabled=self.cli_billing_enabled or False,
            can_change_plan=self.can_change_plan,
            presets=tuple(self.charge_presets),
            bounds=bounds.to_domain(),
            payment_method=self._payment_method(),
            monthly_cap=self.monthly_cap.to_domain() if self.monthly_cap else None,
            auto_reload=self.auto_reload.to_domain() if self.auto_reload else None,
            portal_url=portal_link(base, self.portal_url, slug=self.org.slug),
        )

    def _payment_method(self) -> PaymentMethod | None:
        """Return the method on file: `paymentMethod` where it is there, else the older `card`."""
        if "payment_method" in self.model_fields_set:
            return self.payment_method.to_domain() if self.payment_method else None
        if self.card is None:
            return None
        is_link = (self.card.brand or "").lower() == METHOD_LINK and not self.card.last4
        return self.card.to_domain(kind=METHOD_LINK if is_link else CARD)


class ChargeAcceptedWire(Wire):
    """The 202 of `POST /api/billing/charge`; an id that cannot be kept whole counts as none."""

    charge_id: Annotated[str | None, _whole(CHARGE_ID)] = None


class ChargeStatusWire(Wire):
    """`GET /api/billing/charge/{id}`."""

    status: ChargeStatusKind
    amount_usd: Money = None
    reason: Word = None

    def to_domain(self) -> ChargeStatus:
        """Return the status."""
        return ChargeStatus(kind=self.status, amount=self.amount_usd, reason=self.reason)


class UserWire(SnakeWire):
    """`user` of the account call."""

    email: Annotated[str | None, _line(EMAIL)] = None
    privy_did: Identifier = None


class AccountOrganizationWire(SnakeWire):
    """`organisation` of the account call."""

    id: Identifier = None
    name: Name = None
    slug: Identifier = None


class SubscriptionWire(SnakeWire):
    """`subscription` of the account call; the `*_credits` numbers are US dollars."""

    plan: Name = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    rollover_credits: Money = None
    current_period_end: Day = None

    @property
    def is_plan(self) -> bool:
        """Tell whether there is a plan: it has a name, or monthly dollars."""
        return self.plan is not None or (self.monthly_credits or 0) > 0


class MemberCapWire(SnakeWire):
    """The member's own spending limit, present for people without one too; amounts in US dollars."""

    member_spend_cap_exceeded: Flag = None
    member_spend_cap_usd: Money = None
    member_spend_usd: Money = None
    member_spend_cap_remaining_usd: Money = None

    def to_member_cap(self) -> MemberCap | None:
        """Return the limit, None for a person without one."""
        exceeded = self.member_spend_cap_exceeded or False
        if self.member_spend_cap_usd is None and not exceeded:
            return None
        return MemberCap(
            exceeded=exceeded,
            limit=self.member_spend_cap_usd,
            spent=self.member_spend_usd,
            left=self.member_spend_cap_remaining_usd,
        )


class PaidAccessWire(MemberCapWire):
    """`paid_service_access` of the account call; the `*_credits` numbers are US dollars."""

    allowed: Flag = None
    paid_access: Flag = None
    has_active_subscription: Flag = None
    reason: Word = None
    subscription_credits_remaining: Money = None
    purchased_credits_remaining: Money = None
    total_usable_credits: Money = None

    @property
    def domain_reason(self) -> AccessReason | None:
        """The reason; one that is not known here is None."""
        known = {each.value for each in AccessReason}
        return AccessReason(self.reason) if self.reason in known else None


class AccountWire(MemberCapWire):
    """`GET /api/oauth/account`."""

    user: UserWire
    organisation: Optional[AccountOrganizationWire] = None
    subscription: Optional[SubscriptionWire] = None
    paid_service_access: Optional[PaidAccessWire] = None

    def to_domain(self) -> AccountInfo:
        """Return whose grant it is and what they can use.

        Raises:
            NoOrganizationError: the login belongs to none.
            UnusableAnswerError: the account has neither an id nor an e-mail address, or the organization
                has an id that cannot be kept.
        """
        access = self.paid_service_access or PaidAccessWire()
        if self.organisation is None or access.domain_reason is AccessReason.ACCOUNT_MISSING:
            raise NoOrganizationError
        account_id = self.user.privy_did or whole(self.user.email or "", IDENTIFIER)
        if account_id is None or self.organisation.id is None:
            raise UnusableAnswerError("AccountWire: user or organisation")
        account = Account(
            account_id=account_id,
            email=self.user.email,
            organisation_id=self.organisation.id,
            organisation_name=self.organisation.name or self.organisation.slug,
        )
        return AccountInfo(account=account, usage=self._usage(access))

    def _usage(self, access: PaidAccessWire) -> Usage:
        return Usage(
            plan=self._plan(access),
            topped_up=access.purchased_credits_remaining,
            total=access.total_usable_credits,
            allowed=access.paid_access if access.allowed is None else access.allowed,
            reason=access.domain_reason,
            has_subscription=access.has_active_subscription,
            member_cap=access.to_member_cap() or self.to_member_cap(),
        )

    def _plan(self, access: PaidAccessWire) -> PlanUsage | None:
        wire = self.subscription
        if wire is None or not wire.is_plan:
            return None
        remaining = access.subscription_credits_remaining
        return PlanUsage(
            name=wire.plan,
            monthly=wire.monthly_credits,
            left=wire.credits_remaining if remaining is None else remaining,
            rollover=wire.rollover_credits,
            renews_on=wire.current_period_end,
        )


class CurrentPlanWire(Wire):
    """`current` of the subscription call; the `*Credits` numbers are US dollars."""

    # Only compared and shown: one that is too long is a plan nonetheless.
    tier_id: Annotated[str | None, _line(IDENTIFIER)] = None
    tier_name: Name = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    cycle_ends_at: Day = None
    pending_downgrade_tier_name: Name = None
    pending_downgrade_at: Day = None
    cancel_at_period_end: Flag = None
    cancellation_effective_at: Day = None

    def to_domain(self) -> CurrentPlan | None:
        """Return the plan as it runs, None without a plan's id: the free plan."""
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

    tier_id: Annotated[str | None, _whole(TIER_ID)] = None
    name: Name = None
    tier_order: Annotated[int, BeforeValidator(_order)] = FREE_ORDER
    dollars_per_month_display: Annotated[str | None, BeforeValidator(_price)] = None
    monthly_credits: Money = None
    is_current: Flag = None
    is_enabled: Annotated[bool, BeforeValidator(_is_enabled)] = True

    def to_domain(self) -> Tier | None:
        """Return the plan on offer, None without an id that a menu can carry."""
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
    tiers: Annotated[list[TierWire], BeforeValidator(_objects)] = []

    def to_domain(self, base: str) -> Subscription:
        """Return the subscription; the link leads to the grant's own deployment.

        Of two plans with one id the first counts; so many plans are kept as a menu can hold.
        """
        tiers = [tier for wire in self.tiers if (tier := wire.to_domain()) is not None]
        unique = list({tier.id: tier for tier in reversed(tiers)}.values())[::-1]
        return Subscription(
            organisation_id=self.org.id,
            organisation_name=self.org.name or self.org.slug,
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
    target_tier_id: Annotated[str | None, _whole(TIER_ID)] = None
    target_tier_name: Name = None
    amount_due_now_cents: Annotated[int | None, BeforeValidator(_cents)] = None
    effective_at: Day = None

    def to_domain(self, tier_id: str) -> Preview:
        """Return what the change would do; a charge without its amount is blocked."""
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
    """The answer to a scheduled change."""

    message: Sentence = None


class UpgradeWire(Wire):
    """`POST /api/billing/subscription/upgrade`."""

    status: Word = None
    target_tier_name: Name = None
    reason: Word = None
    recovery_url: Link = None

    def to_domain(self, base: str) -> UpgradeResult:
        """Return how the upgrade ended: the reason is judged before the status.

        Raises:
            UnusableAnswerError: an unknown status, or one that contradicts the reason: it may or may not
                have been charged.
        """
        return UpgradeResult(
            status=self._judged_status(),
            target_name=self.target_tier_name,
            reason=self._judged_reason(),
            recovery_url=portal_link(base, self.recovery_url) if self.recovery_url else None,
        )

    def _judged_status(self) -> UpgradeStatus:
        by_reason = _BY_REASON.get(self.reason or "")
        if by_reason is None and self.status in set(UpgradeStatus):
            return UpgradeStatus(self.status)
        done = self.status in {UpgradeStatus.UPGRADED.value, UpgradeStatus.ALREADY_ON_TIER.value}
        if by_reason is None or done:
            raise UnusableAnswerError("UpgradeWire: status")
        return by_reason

    def _judged_reason(self) -> str | None:
        """Return why it failed; a failed payment without a reason was declined."""
        unexplained = self.status == UpgradeStatus.PAYMENT_FAILED.value and self.reason is None
        return FailureReason.CARD_DECLINED.value if unexplained else self.reason


class DeviceCodeWire(SnakeWire):
    """`POST /api/oauth/device/code`; all six are required (RFC 8628, 3.2, made stricter)."""

    device_code: Secret
    user_code: Annotated[str, _whole(40)]
    verification_uri: Annotated[str, _whole(LINK)]
    verification_uri_complete: Annotated[str, _whole(LINK)]
    expires_in: Annotated[int, BeforeValidator(_seconds)]
    interval: Annotated[int, BeforeValidator(_seconds)]


class TokenWire(SnakeWire):
    """A 200 of `POST /api/oauth/token` (RFC 6749, 5.1)."""

    access_token: Secret
    refresh_token: Annotated[str | None, _whole(16_000)] = None
    expires_in: Annotated[int | None, BeforeValidator(_seconds)] = None
    scope: Annotated[str | None, _line(SENTENCE)] = None
