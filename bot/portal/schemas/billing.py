"""The billing state and charges (docs/portal.md, sections 5 and 6)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import model_validator

from bot.domain.billing import (
    AutoReload,
    AutoReloadCardKind,
    BillingState,
    ChargeStatus,
    ChargeStatusKind,
    MonthlyCap,
    Role,
)
from bot.domain.money import Bounds, whole_cents, whole_cents_up
from bot.domain.payment import CARD, PaymentMethod
from bot.domain.payment import LINK as METHOD_LINK
from bot.domain.text import (
    CHARGE_ID,
    EMAIL,
)
from bot.portal.hosts import portal_link
from bot.portal.schemas.fields import (
    Amounts,
    Flag,
    Identifier,
    Link,
    Money,
    Name,
    Optional,
    Required,
    Wire,
    Word,
    line,
    whole_id,
)


class PaymentMethodWire(Wire):
    """`paymentMethod` of the billing state, or an older server's `card`; `last4` may be empty (Link)."""

    kind: Word = None
    brand: Word = None
    last4: Word = None
    wallet: Word = None
    email: Annotated[str | None, line(EMAIL)] = None
    resolved_via: Word = None

    def to_domain(self, *, kind: str = "") -> PaymentMethod:
        """Return the method; `kind` is used if the wire names none."""
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
        """Return the bounds, rounded inward to whole cents."""
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
        """Return the cap; None without a limit."""
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
        """Treat a `paymentMethod` that is neither an object nor null as absent, so that `card` is used."""
        if isinstance(body, dict) and not isinstance(body.get("paymentMethod"), dict | None):
            return {name: value for name, value in body.items() if name != "paymentMethod"}
        return body

    def to_domain(self, base: str) -> BillingState:
        """Return the state; a relative link becomes absolute against `base`."""
        bounds = self.bounds or BoundsWire()
        return BillingState(
            organization_id=self.org.id,
            organization_name=self.org.name or self.org.slug,
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
        """Return the method on file: `paymentMethod` if it is present, else the older `card`."""
        if "payment_method" in self.model_fields_set:
            return self.payment_method.to_domain() if self.payment_method else None
        if self.card is None:
            return None
        is_link = (self.card.brand or "").lower() == METHOD_LINK and not self.card.last4
        return self.card.to_domain(kind=METHOD_LINK if is_link else CARD)


class ChargeAcceptedWire(Wire):
    """The 202 of `POST /api/billing/charge`; an id that is too long to store counts as none."""

    charge_id: Annotated[str | None, whole_id(CHARGE_ID)] = None


class ChargeStatusWire(Wire):
    """`GET /api/billing/charge/{id}`."""

    status: ChargeStatusKind
    amount_usd: Money = None
    reason: Word = None

    def to_domain(self) -> ChargeStatus:
        """Return the status."""
        return ChargeStatus(kind=self.status, amount=self.amount_usd, reason=self.reason)
