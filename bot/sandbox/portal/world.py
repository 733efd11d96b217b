"""Who and what the portal knows: people, organisations, cards, plans.

Amounts are US dollars as `Decimal`. Tests and pages change these objects in place; the rules that
read them live elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

CHANGES_PLANS = frozenset({"OWNER", "ADMIN"})


@dataclass(kw_only=True, slots=True)
class Person:
    """An account and its place in one organisation.

    Attributes:
        can_change_plan: The capability that overrides the role both ways; None leaves it to the
            role and off the wire.
    """

    key: str
    name: str
    email: str
    account: str
    organisation: str
    role: str
    can_change_plan: bool | None = None

    @property
    def may_change_plan(self) -> bool:
        """Whether this person may spend and change plans, as the contract's "Billing" says."""
        if self.can_change_plan is not None:
            return self.can_change_plan
        return self.role in CHANGES_PLANS


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A card on file; `last4` may be empty (Link), `resolved_via` None stays off the wire."""

    brand: str = "Visa"
    last4: str = "4242"
    resolved_via: str | None = "subPin"


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
    spent: Decimal = Decimal(180)
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
    """The plan an organisation is on, and the change that waits for the end of the cycle."""

    tier: str
    credits_remaining: Decimal
    rollover: Decimal = Decimal(0)
    pending_tier: str | None = None
    cancels: bool = False


@dataclass(kw_only=True, slots=True)
class Organisation:
    """An organisation's billing, as the portal holds it.

    Attributes:
        cli_billing_enabled: The kill-switch for charges from outside the portal.
        cap: None when no cap is visible.
        auto_reload: None when it was never set up.
        subscription: None on the free plan.
        context: `personal` or `team`; a team has no plan of its own.
        scenario: The name of the row of `SCENARIOS` that is switched on.
        portal_url: Sent as it stands; None leaves it off the wire.
    """

    slug: str
    id: str
    name: str
    balance: Decimal
    card: Card | None = field(default_factory=Card)
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


def seeded_people() -> dict[str, Person]:
    """The accounts by their key: one of every role, and two that the capability overrides."""
    return {person.key: person for person in _people()}


def seeded_organisations() -> dict[str, Organisation]:
    """The organisations by their slug, as they are before anybody touched them."""
    return {organisation.slug: organisation for organisation in _organisations()}


def _people() -> list[Person]:
    rows: tuple[tuple[str, str, str, str, bool | None], ...] = (
        ("ada", "Ada Lovelace", "acme", "OWNER", None),
        ("grace", "Grace Hopper", "acme", "ADMIN", None),
        ("linus", "Linus Park", "acme", "MEMBER", None),
        ("frida", "Frida Castillo", "acme", "FINANCE_ADMIN", True),
        ("sasha", "Sasha Okoye", "acme", "SECURITY_ADMIN", None),
        ("hedy", "Hedy Marsh", "acme", "ADMIN", False),
        ("vera", "Vera Quist", "acme", "AUDITOR", None),
        ("theo", "Theo Brandt", "globex", "OWNER", None),
        ("mara", "Mara Lindqvist", "solo", "OWNER", None),
    )
    return [
        Person(
            key=key,
            name=name,
            email=f"{key}@{organisation}.example",
            account=f"did:privy:{key}",
            organisation=organisation,
            role=role,
            can_change_plan=capability,
        )
        for key, name, organisation, role, capability in rows
    ]


def _organisations() -> list[Organisation]:
    return [
        Organisation(
            slug="acme",
            id="org_acme",
            name="Acme Research",
            balance=Decimal("142.5"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("13.2")),
        ),
        Organisation(
            slug="globex",
            id="org_globex",
            name="Globex Labs",
            balance=Decimal("3.4"),
            card=Card(brand="Link", last4="", resolved_via="customerDefault"),
            auto_reload=None,
            context="team",
        ),
        Organisation(
            slug="solo",
            id="org_solo",
            name="Mara Lindqvist",
            balance=Decimal(0),
            card=None,
            cap=None,
            auto_reload=None,
        ),
    ]
