"""The portal's data: people, organizations, payment methods and plans.

Amounts are US dollars as `Decimal`. Tests and pages change these objects in place. `seed` has the
initial objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

CHANGES_PLANS = frozenset({"OWNER", "ADMIN", "FINANCE_ADMIN"})
"""The roles that may spend and change plans."""


@dataclass(kw_only=True, slots=True)
class Person:
    """A person's account and membership of one organization.

    Attributes:
        organization: The slug, or None for a login without an organization.
        can_change_plan: A capability that overrides the role. None applies the role.
        spent: The amount that this member spent in the organization.
        spend_cap: The amount that this member may spend, or None without a cap.
    """

    key: str
    name: str
    email: str
    account: str
    organization: str | None
    role: str
    can_change_plan: bool | None = None
    spent: Decimal = Decimal("17.250318446207")
    spend_cap: Decimal | None = None

    @property
    def may_change_plan(self) -> bool:
        """Return whether this person may spend and change plans, by capability or by role."""
        if self.organization is None:
            return False
        if self.can_change_plan is not None:
            return self.can_change_plan
        return self.role in CHANGES_PLANS

    @property
    def is_over_spend_cap(self) -> bool:
        """Return whether this member's spending has reached the cap."""
        return self.spend_cap is not None and self.spent >= self.spend_cap


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A card on file.

    Attributes:
        last4: The last four digits, or an empty string.
        resolved_via: The way in which the portal found the card. None is not sent.
        wallet: `apple_pay` or `google_pay` for a card in a wallet. None is not sent.
    """

    brand: str = "Visa"
    last4: str = "4242"
    resolved_via: str | None = "subPin"
    wallet: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherMethod:
    """A payment method that is not a card: Stripe Link, or a kind that clients do not know."""

    kind: str
    email: str | None = None
    resolved_via: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReloadCard:
    """The card of auto-reload. `kind` is `canonical`, `none` or `distinct`."""

    kind: str = "canonical"
    payment_method_id: str | None = None
    brand: str | None = None
    last4: str | None = None


@dataclass(kw_only=True, slots=True)
class AutoReload:
    """The setting that reloads the balance to `reload_to` when it falls below `threshold`."""

    enabled: bool = False
    threshold: Decimal = Decimal(20)
    reload_to: Decimal = Decimal(100)
    card: AutoReloadCard = field(default_factory=AutoReloadCard)


@dataclass(kw_only=True, slots=True)
class MonthlyCap:
    """The limit of charges in a calendar month. Each settled charge increases `spent`."""

    limit: Decimal = Decimal(1000)
    spent: Decimal = Decimal("179.999582671439")
    is_default_ceiling: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A plan. `monthly_credits` are US dollars. `order` sorts plans from small to large."""

    id: str
    name: str
    order: int
    price: Decimal
    monthly_credits: Decimal
    is_enabled: bool = True


@dataclass(kw_only=True, slots=True)
class Subscription:
    """An organization's plan, and its pending change at the end of the cycle."""

    tier: str
    credits_remaining: Decimal
    rollover: Decimal = Decimal(0)
    pending_tier: str | None = None
    cancels: bool = False


@dataclass(kw_only=True, slots=True)
class Organization:
    """An organization and its billing data.

    Attributes:
        card: The card on file. `other_method` is a payment method that is not a card.
        cli_billing_enabled: The kill-switch for charges from outside the portal.
        cap: The monthly cap, or None when no cap is visible.
        auto_reload: The auto-reload setting, or None when it was never set up.
        subscription: The plan, or None on the free plan.
        context: `personal` or `team`.
        scenario: The name of the current scenario.
        portal_url: The URL that is sent unchanged. None is not sent.
        is_older_server: Whether the overview omits `paymentMethod` and `canChangePlan`, as an older
            server does.
        writes_numbers: Whether billing calls send money as JSON numbers, and cents as `8000.0`.
        hides_numbers: Whether the numbers of the account call are null.
        leaves_out_remainder: Whether the account call omits `subscription_credits_remaining`.
        has_incomplete_tiers: Whether the list of plans has missing and null fields.
        charge_id_length: The number of characters after `ch_` in a charge's id.
    """

    slug: str
    id: str
    name: str
    balance: Decimal
    card: Card | None = field(default_factory=Card)
    other_method: OtherMethod | None = None
    cli_billing_enabled: bool = True
    presets: list[str] = field(default_factory=lambda: ["25", "50", "100"])
    minimum: Decimal = Decimal(5)
    maximum: Decimal = Decimal(1000)
    cap: MonthlyCap | None = field(default_factory=MonthlyCap)
    auto_reload: AutoReload | None = field(default_factory=AutoReload)
    subscription: Subscription | None = None
    context: str = "personal"
    scenario: str = "by-amount"
    portal_url: str | None = "/billing?topup=open"
    is_older_server: bool = False
    writes_numbers: bool = False
    hides_numbers: bool = False
    leaves_out_remainder: bool = False
    has_incomplete_tiers: bool = False
    charge_id_length: int = 20

    @property
    def has_payment_method(self) -> bool:
        """Return whether the organization has a payment method."""
        return self.card is not None or self.other_method is not None


TIERS = (
    Tier(id="free", name="Free", order=0, price=Decimal(0), monthly_credits=Decimal(0)),
    Tier(id="plus", name="Plus", order=1, price=Decimal(20), monthly_credits=Decimal(22)),
    Tier(id="super", name="Super", order=2, price=Decimal(100), monthly_credits=Decimal(110)),
    Tier(id="ultra", name="Ultra", order=3, price=Decimal(200), monthly_credits=Decimal(220)),
    Tier(
        id="founders",
        name="Founders",
        order=4,
        price=Decimal(15),
        monthly_credits=Decimal(30),
        is_enabled=False,
    ),
)


def tier_of(tier_id: object) -> Tier | None:
    """Return the plan with that id, or None."""
    return next((tier for tier in TIERS if tier.id == tier_id), None)
