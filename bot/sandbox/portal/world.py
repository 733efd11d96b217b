"""What the portal knows people, organizations, payment methods and plans by.

Amounts are US dollars as `Decimal`. Tests and pages change these objects in place; the rules that
read them live elsewhere, and `seed` has the ones that are there at the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

CHANGES_PLANS = frozenset({"OWNER", "ADMIN", "FINANCE_ADMIN"})
"""The roles that may spend and change plans, as the server knows them."""


@dataclass(kw_only=True, slots=True)
class Person:
    """An account and its place in one organization.

    Attributes:
        organisation: The slug; None for a login without an organization.
        can_change_plan: A capability that overrides the role both ways; None leaves it to the role.
        spent: What this member spent at the organization.
        spend_cap: What this member may spend there; None for a member without a cap.
    """

    key: str
    name: str
    email: str
    account: str
    organisation: str | None
    role: str
    can_change_plan: bool | None = None
    spent: Decimal = Decimal("17.250318446207")
    spend_cap: Decimal | None = None

    @property
    def may_change_plan(self) -> bool:
        """Whether this person may spend and change plans: the capability, else the role."""
        if self.organisation is None:
            return False
        if self.can_change_plan is not None:
            return self.can_change_plan
        return self.role in CHANGES_PLANS

    @property
    def is_over_spend_cap(self) -> bool:
        """Whether this member has spent the cap or more."""
        return self.spend_cap is not None and self.spent >= self.spend_cap


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A card on file.

    Attributes:
        last4: May be empty.
        resolved_via: How the portal found the card; None stays off the wire.
        wallet: `apple_pay` or `google_pay` for a card inside a wallet; None stays off the wire.
    """

    brand: str = "Visa"
    last4: str = "4242"
    resolved_via: str | None = "subPin"
    wallet: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherMethod:
    """A payment method that is not a card: Stripe Link, or a kind newer than its clients."""

    kind: str
    email: str | None = None
    resolved_via: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoReloadCard:
    """The card that auto-reload charges: `canonical`, `none` or `distinct` from the one on file."""

    kind: str = "canonical"
    payment_method_id: str | None = None
    brand: str | None = None
    last4: str | None = None


@dataclass(kw_only=True, slots=True)
class AutoReload:
    """Fill the balance up to `reload_to` when it falls below `threshold`."""

    enabled: bool = False
    threshold: Decimal = Decimal(20)
    reload_to: Decimal = Decimal(100)
    card: AutoReloadCard = field(default_factory=AutoReloadCard)


@dataclass(kw_only=True, slots=True)
class MonthlyCap:
    """What may be charged in a calendar month; `spent` grows with every settlement."""

    limit: Decimal = Decimal(1000)
    spent: Decimal = Decimal("179.999582671439")
    is_default_ceiling: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Tier:
    """A plan one can be on. `monthly_credits` are US dollars, `order` sorts from small to large."""

    id: str
    name: str
    order: int
    price: Decimal
    monthly_credits: Decimal
    is_enabled: bool = True


@dataclass(kw_only=True, slots=True)
class Subscription:
    """The plan an organization is on, and the change that waits for the end of the cycle."""

    tier: str
    credits_remaining: Decimal
    rollover: Decimal = Decimal(0)
    pending_tier: str | None = None
    cancels: bool = False


@dataclass(kw_only=True, slots=True)
class Organisation:
    """An organization's billing, as the portal holds it.

    Attributes:
        card: The card on file. `other_method` is for a payment method that is not a card.
        cli_billing_enabled: The kill-switch for charges from outside the portal.
        cap: None when no cap is visible.
        auto_reload: None when it was never set up.
        subscription: None on the free plan.
        context: `personal` or `team`.
        scenario: The name of the row of `SCENARIOS` that is switched on.
        portal_url: Sent as it stands; None leaves it off the wire.
        is_older_server: The overview comes from an older server, which knows neither
            `paymentMethod` nor `canChangePlan`.
        writes_numbers: Money of the billing calls comes as JSON numbers, cents as `8000.0`.
        hides_numbers: The numbers of the account call are null.
        leaves_out_remainder: The account call's access has no `subscription_credits_remaining`.
        has_torn_tiers: The plans on offer come with fields missing or null.
        charge_id_length: How many characters follow `ch_` in a charge's id.
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
    has_torn_tiers: bool = False
    charge_id_length: int = 20

    @property
    def has_payment_method(self) -> bool:
        """Whether there is anything to charge."""
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
    """The plan with that id, or None."""
    return next((tier for tier in TIERS if tier.id == tier_id), None)
