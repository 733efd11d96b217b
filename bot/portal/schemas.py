"""The portal's JSON, read leniently, turned into the domain's values (contract, "Billing", "Account").

What is optional on the wire may also be malformed: it then counts as absent. What a screen cannot do
without (the organisation's id) makes the whole answer unusable.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.domain.billing import (
    AccountInfo,
    AutoReload,
    AutoReloadCardKind,
    BillingState,
    Card,
    ChargeStatus,
    ChargeStatusKind,
    MonthlyCap,
    PlanUsage,
    Role,
    Usage,
)
from bot.domain.identity import Account
from bot.domain.money import Bounds, parse_wire
from bot.domain.subscription import (
    CurrentPlan,
    Effect,
    Preview,
    Subscription,
    Tier,
    UpgradeResult,
    UpgradeStatus,
)
from bot.portal.hosts import manage_subscription_url, portal_link


class UnusableAnswerError(ValueError):
    """The JSON lacks what the call is for."""


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


def _price(value: object) -> str | None:
    """Keep a price as displayed: `20`, `$20`, or a number."""
    if isinstance(value, str):
        return value.strip() or None
    amount = parse_wire(value)
    return None if amount is None else format(amount, "f")


def _cents(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _amounts(value: object) -> list[Decimal]:
    parsed = (parse_wire(each) for each in value) if isinstance(value, list) else ()
    return [amount for amount in parsed if amount is not None and amount > 0]


def parse_moment(value: object) -> datetime | None:
    """Read an ISO 8601 date or moment as UTC; None when unreadable."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _date(value: object) -> date | None:
    moment = parse_moment(value)
    return moment.date() if moment else None


Text = Annotated[str | None, BeforeValidator(_text)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Money = Annotated[Decimal | None, BeforeValidator(parse_wire)]
Amounts = Annotated[list[Decimal], BeforeValidator(_amounts)]
Day = Annotated[date | None, BeforeValidator(_date)]
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


class CardWire(Wire):
    """A card; `last4` may be empty (Link)."""

    brand: Text = None
    last4: Text = None
    resolved_via: Text = None
    kind: Text = None

    def to_domain(self) -> Card | None:
        """Return the card, None without a brand."""
        if self.brand is None:
            return None
        return Card(brand=self.brand, last4=self.last4 or "", resolved_via=self.resolved_via)


class OrganisationWire(Wire):
    """`org` of the billing calls."""

    id: str
    name: Text = None
    slug: Text = None
    role: Text = None

    @property
    def domain_role(self) -> Role:
        """The role; an unknown one is UNKNOWN."""
        return Role.__members__.get(self.role or "", Role.UNKNOWN)


class BoundsWire(Wire):
    """`bounds` of the billing state."""

    min_usd: Money = None
    max_usd: Money = None


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
    card: Optional[CardWire] = None

    def to_domain(self) -> AutoReload:
        """Return the setting; an unknown card kind is ignored (behaviour 18)."""
        kind = (self.card.kind or "") if self.card else ""
        known = {each.value for each in AutoReloadCardKind}
        return AutoReload(
            enabled=self.enabled or False,
            threshold=self.threshold_usd,
            reload_to=self.reload_to_usd,
            card_kind=AutoReloadCardKind(kind) if kind in known else None,
            card=self.card.to_domain() if self.card and kind in known else None,
        )


class BillingStateWire(Wire):
    """`GET /api/billing/state`."""

    org: OrganisationWire
    balance_usd: Money = None
    cli_billing_enabled: Flag = None
    can_change_plan: Flag = None
    charge_presets: Amounts = []
    bounds: Optional[BoundsWire] = None
    card: Optional[CardWire] = None
    monthly_cap: Optional[MonthlyCapWire] = None
    auto_reload: Optional[AutoReloadWire] = None
    portal_url: Text = None

    def to_domain(self, base: str) -> BillingState:
        """Return the state; links become absolute against `base`."""
        bounds = self.bounds or BoundsWire()
        return BillingState(
            organisation_id=self.org.id,
            organisation_name=self.org.name,
            role=self.org.domain_role,
            balance=self.balance_usd,
            billing_enabled=self.cli_billing_enabled or False,
            can_change_plan=self.can_change_plan,
            presets=tuple(dict.fromkeys(self.charge_presets)),
            bounds=Bounds(minimum=bounds.min_usd, maximum=bounds.max_usd),
            card=self.card.to_domain() if self.card else None,
            monthly_cap=self.monthly_cap.to_domain() if self.monthly_cap else None,
            auto_reload=self.auto_reload.to_domain() if self.auto_reload else None,
            portal_url=portal_link(base, self.portal_url),
        )


class ChargeAcceptedWire(Wire):
    """The 202 of `POST /api/billing/charge`."""

    charge_id: Text = None


class ChargeStatusWire(Wire):
    """`GET /api/billing/charge/{id}`."""

    status: ChargeStatusKind
    amount_usd: Money = None
    reason: Text = None

    def to_domain(self) -> ChargeStatus:
        """Return the status."""
        return ChargeStatus(kind=self.status, amount=self.amount_usd, reason=self.reason)


class UserWire(SnakeWire):
    """`user` of the account call."""

    email: Text = None
    privy_did: Text = None


class AccountOrganisationWire(SnakeWire):
    """`organisation` of the account call."""

    id: Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
    name: Text = None
    slug: Text = None


class SubscriptionWire(SnakeWire):
    """`subscription` of the account call; the `*_credits` numbers are US dollars."""

    plan: Text = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    rollover_credits: Money = None
    current_period_end: Day = None


class PaidAccessWire(SnakeWire):
    """`paid_service_access` of the account call; the `*_credits` numbers are US dollars."""

    purchased_credits_remaining: Money = None
    total_usable_credits: Money = None


class AccountWire(SnakeWire):
    """`GET /api/oauth/account`."""

    user: UserWire
    organisation: AccountOrganisationWire
    subscription: Optional[SubscriptionWire] = None
    paid_service_access: Optional[PaidAccessWire] = None

    def to_domain(self) -> AccountInfo:
        """Return whose grant it is and what they can use.

        Raises:
            UnusableAnswerError: the account has neither an id nor an e-mail address.
        """
        account_id = self.user.privy_did or self.user.email
        if account_id is None:
            raise UnusableAnswerError("AccountWire: user")
        account = Account(
            account_id=account_id,
            email=self.user.email,
            organisation_id=self.organisation.id,
            organisation_name=self.organisation.name or self.organisation.slug,
        )
        access = self.paid_service_access or PaidAccessWire()
        usage = Usage(
            plan=self._plan(),
            topped_up=access.purchased_credits_remaining,
            total=access.total_usable_credits,
        )
        return AccountInfo(account=account, usage=usage)

    def _plan(self) -> PlanUsage | None:
        wire = self.subscription
        if wire is None or wire.monthly_credits is None or wire.credits_remaining is None:
            return None
        return PlanUsage(
            name=wire.plan,
            monthly=wire.monthly_credits,
            left=wire.credits_remaining,
            rollover=wire.rollover_credits,
            renews_on=wire.current_period_end,
        )


class CurrentPlanWire(Wire):
    """`current` of the subscription call; the `*Credits` numbers are US dollars."""

    tier_id: str
    tier_name: Text = None
    monthly_credits: Money = None
    credits_remaining: Money = None
    cycle_ends_at: Day = None
    pending_downgrade_tier_name: Text = None
    pending_downgrade_at: Day = None
    cancel_at_period_end: Flag = None
    cancellation_effective_at: Day = None

    def to_domain(self) -> CurrentPlan:
        """Return the plan as it runs."""
        return CurrentPlan(
            tier_id=self.tier_id,
            name=self.tier_name or self.tier_id,
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

    tier_id: str
    name: str
    tier_order: int = 0
    dollars_per_month_display: Annotated[str | None, BeforeValidator(_price)] = None
    monthly_credits: Money = None
    is_current: bool = False
    is_enabled: bool = False

    def to_domain(self) -> Tier:
        """Return the plan on offer."""
        return Tier(
            id=self.tier_id,
            name=self.name,
            order=self.tier_order,
            price=self.dollars_per_month_display,
            monthly=self.monthly_credits,
            is_current=self.is_current,
            is_enabled=self.is_enabled,
        )


class SubscriptionStateWire(Wire):
    """`GET /api/billing/subscription`."""

    org: OrganisationWire
    context: Text = None
    can_change_plan: Flag = None
    current: Optional[CurrentPlanWire] = None
    tiers: list[TierWire] = []

    def to_domain(self, base: str) -> Subscription:
        """Return the subscription; the link leads to the grant's own deployment."""
        return Subscription(
            organisation_id=self.org.id,
            organisation_name=self.org.name,
            role=self.org.domain_role,
            can_change_plan=self.can_change_plan,
            is_team=self.context == "team",
            current=self.current.to_domain() if self.current else None,
            tiers=tuple(tier.to_domain() for tier in self.tiers),
            manage_url=manage_subscription_url(base, self.org.id),
        )


class PreviewWire(Wire):
    """`POST /api/billing/subscription/preview`."""

    effect: Text = None
    reason: Text = None
    current_tier_name: Text = None
    target_tier_id: Text = None
    target_tier_name: Text = None
    amount_due_now_cents: Annotated[int | None, BeforeValidator(_cents)] = None
    effective_at: Day = None

    def to_domain(self, tier_id: str) -> Preview:
        """Return what the change would do; a charge without its amount is blocked."""
        due = None if self.amount_due_now_cents is None else Decimal(self.amount_due_now_cents) / 100
        known = {effect.value for effect in Effect}
        effect = Effect(self.effect) if self.effect in known else Effect.BLOCKED
        if effect is Effect.CHARGE_NOW and due is None:
            effect = Effect.BLOCKED
        return Preview(
            effect=effect,
            reason=self.reason,
            current_name=self.current_tier_name,
            target_id=self.target_tier_id or tier_id,
            target_name=self.target_tier_name or tier_id,
            due_now=due,
            effective_on=self.effective_at,
        )


class MessageWire(Wire):
    """The answer to a scheduled change."""

    message: Text = None


class UpgradeWire(Wire):
    """`POST /api/billing/subscription/upgrade`."""

    status: UpgradeStatus
    target_tier_name: Text = None
    reason: Text = None
    recovery_url: Text = None

    def to_domain(self, base: str) -> UpgradeResult:
        """Return how the upgrade ended."""
        return UpgradeResult(
            status=self.status,
            target_name=self.target_tier_name,
            reason=self.reason,
            recovery_url=portal_link(base, self.recovery_url) if self.recovery_url else None,
        )


class DeviceCodeWire(SnakeWire):
    """`POST /api/oauth/device/code`; all six are required (RFC 8628, 3.2, made stricter)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class TokenWire(SnakeWire):
    """A 200 of `POST /api/oauth/token` (RFC 6749, 5.1)."""

    access_token: str
    refresh_token: Text = None
    expires_in: int
    scope: Text = None
