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
from bot.portal.hosts import portal_link


class UnusableAnswerError(ValueError):
    """The JSON lacks what the call is for."""


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


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
