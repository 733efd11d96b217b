"""The initial people and organizations.

Balances, remainders, rollovers and usage have many decimals, as on the live portal, where they are
sums of costs per token. Bounds, presets, limits and prices are set by people and have few decimals.
"""

from __future__ import annotations

from decimal import Decimal

from bot.sandbox.portal.models import (
    AutoReload,
    Card,
    MonthlyCap,
    Organization,
    OtherMethod,
    Person,
    Subscription,
)

EXTREME_NAME = ("Extreme 🧪 \x00\x07\x1b[31m\u202eevil\u202c \u200f\ud800 <b>&amp;</b> \r\n" * 100)[
    :2931
] + " the end."
"""A name with emoji, control characters, direction marks and a lone surrogate."""

_TWENTY_NINES = Decimal("9" * 20)
_THIRTY_NINES = Decimal("9" * 30)


def seeded_people() -> dict[str, Person]:
    """Return the people by key. Each role and each organization has at least one person."""
    return {person.key: person for person in _people()}


def seeded_organizations() -> dict[str, Organization]:
    """Return the initial organizations by slug."""
    return {organization.slug: organization for organization in _organizations()}


def _people() -> list[Person]:
    rows: tuple[tuple[str, str, str | None, str], ...] = (
        ("ada", "Ada Lovelace", "acme", "OWNER"),
        ("grace", "Grace Hopper", "acme", "ADMIN"),
        ("linus", "Linus Park", "acme", "MEMBER"),
        ("frida", "Frida Castillo", "acme", "FINANCE_ADMIN"),
        ("sasha", "Sasha Okoye", "acme", "SECURITY_ADMIN"),
        ("hedy", "Hedy Marsh", "acme", "ADMIN"),
        ("vera", "Vera Quist", "acme", "AUDITOR"),
        ("omar", "Omar Haddad", "acme", "MEMBER"),
        ("theo", "Theo Brandt", "globex", "OWNER"),
        ("mara", "Mara Lindqvist", "solo", "OWNER"),
        ("pia", "Pia Sommer", "plus-spent", "OWNER"),
        ("rolf", "Rolf Aasen", "plus-rollover", "OWNER"),
        ("lena", "Lena Kowalski", "linkpay", "OWNER"),
        ("wanda", "Wanda Reyes", "wallet", "OWNER"),
        ("nils", "Nils Ekman", "newkind", "OWNER"),
        ("uma", "Uma Iyer", "unknown", "OWNER"),
        ("tove", "Tove Dahl", "torn", "OWNER"),
        ("xena", "Xena Farkas", "extreme", "OWNER"),
        ("noah", "Noah Adler", None, "OWNER"),
    )
    people = [_person(*row) for row in rows]
    for person in people:
        if person.key == "hedy":
            person.can_change_plan = False
        if person.key == "omar":
            person.spent, person.spend_cap = Decimal("25.318402771953"), Decimal(25)
    return people


def _person(key: str, name: str, organization: str | None, role: str) -> Person:
    return Person(
        key=key,
        name=name,
        email=f"{key}@{organization or 'nowhere'}.example",
        account=f"did:privy:{key}",
        organization=organization,
        role=role,
    )


def _organizations() -> list[Organization]:
    return [
        Organization(
            slug="acme",
            id="org_acme",
            name="Acme Research",
            balance=Decimal("142.500213968254"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("13.199784210017")),
        ),
        Organization(
            slug="globex",
            id="org_globex",
            name="Globex Labs",
            balance=Decimal("3.400184736219"),
            card=Card(brand="Link", last4="", resolved_via="customerDefault"),
            auto_reload=None,
            subscription=Subscription(
                tier="super",
                credits_remaining=Decimal("61.284930175522"),
                rollover=Decimal("4.110283659174"),
            ),
            context="team",
            is_older_server=True,
        ),
        Organization(
            slug="solo",
            id="org_solo",
            name="Mara Lindqvist",
            balance=Decimal(0),
            card=None,
            cap=None,
            auto_reload=None,
        ),
        *_as_published(),
        *_payment_methods(),
        *_edge_cases(),
    ]


def _as_published() -> list[Organization]:
    """Return the organizations of the two account answers (docs/portal.md, section 4.6)."""
    return [
        Organization(
            slug="plus-spent",
            id="org_plus-spent",
            name="Plus, spent",
            balance=Decimal("32.0836345329777"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("-1e-22")),
        ),
        Organization(
            slug="plus-rollover",
            id="org_plus-rollover",
            name="Plus, with rollover",
            balance=Decimal(0),
            subscription=Subscription(
                tier="plus",
                credits_remaining=Decimal("22.472091793333334"),
                rollover=Decimal("6.591792646666667"),
            ),
            leaves_out_remainder=True,
        ),
    ]


def _payment_methods() -> list[Organization]:
    return [
        Organization(
            slug="linkpay",
            id="org_linkpay",
            name="Link Pay",
            balance=Decimal("18.750291604438"),
            card=None,
            other_method=OtherMethod(
                kind="link", email="lena@linkpay.example", resolved_via="customerDefault"
            ),
        ),
        Organization(
            slug="wallet",
            id="org_wallet",
            name="Wallet",
            balance=Decimal("26.359848035936"),
            card=Card(brand="visa", resolved_via=None, wallet="apple_pay"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("9.040016283755")),
            writes_numbers=True,
        ),
        Organization(
            slug="newkind",
            id="org_newkind",
            name="New Kind",
            balance=Decimal("7.319905128466"),
            card=None,
            other_method=OtherMethod(kind="sepa_debit"),
        ),
    ]


def _edge_cases() -> list[Organization]:
    return [
        Organization(
            slug="unknown",
            id="org_unknown",
            name="Unknown Numbers",
            balance=Decimal("11.906340275183"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("5.602917734081")),
            hides_numbers=True,
        ),
        Organization(
            slug="torn",
            id="org_torn",
            name="Torn Tiers",
            balance=Decimal("54.018273940655"),
            subscription=Subscription(tier="plus", credits_remaining=Decimal("20.770164950338")),
            has_incomplete_tiers=True,
        ),
        Organization(
            slug="extreme",
            id="org_extreme",
            name=EXTREME_NAME,
            balance=Decimal("1e+25"),
            maximum=_TWENTY_NINES,
            cap=MonthlyCap(limit=Decimal("1e+25")),
            auto_reload=AutoReload(enabled=True, threshold=_THIRTY_NINES, reload_to=_THIRTY_NINES),
            charge_id_length=300,
        ),
    ]
