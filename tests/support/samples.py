"""Made-up facts: one person, one account, one charge, one state and so on, for tests to change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.domain.billing import AccessReason, AutoReload, BillingState, MonthlyCap, PlanUsage, Role, Usage
from bot.domain.charge import Charge, ChargeKind, ChargeState
from bot.domain.grant import DeviceGrant, GrantState
from bot.domain.identity import Account, Connection, Identity
from bot.domain.money import Bounds
from bot.domain.payment import PaymentMethod
from bot.domain.request import FundsRequest
from bot.domain.subscription import CurrentPlan, Effect, Preview, Subscription, Tier
from bot.domain.vote import Vote, VoteKind, method_key
from bot.storage.cipher import Cipher, generate_key
from bot.storage.links import Link

if TYPE_CHECKING:
    from bot.domain.clock import Clock

CIPHER = Cipher((generate_key(),))
NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
ADA = Identity(enterprise="", team="T0ACME", user="U0ADA")
GRACE = Identity(enterprise="", team="T0ACME", user="U0GRACE")
LINUS = Identity(enterprise="", team="T0ACME", user="U0LINUS")
PORTAL = "https://portal.nousresearch.com"
VISA = PaymentMethod(brand="visa", last4="4242", resolved_via="subPin")
STATE = BillingState(
    organization_id="org_acme",
    organization_name="Acme Research",
    role=Role.OWNER,
    balance=Decimal("142.50183461729"),
    billing_enabled=True,
    can_change_plan=None,
    presets=(Decimal(25), Decimal(50), Decimal(100)),
    bounds=Bounds(minimum=Decimal(5), maximum=Decimal(1000)),
    payment_method=VISA,
    monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("179.9999583417"), is_default_ceiling=True),
    auto_reload=AutoReload(enabled=True, threshold=Decimal(20), reload_to=Decimal(100)),
    portal_url=f"{PORTAL}/billing?topup=open",
)
MEMBER = replace(STATE, role=Role.MEMBER, payment_method=None, monthly_cap=None, auto_reload=None)
PLAN = PlanUsage(
    name="Plus", monthly=Decimal(22), left=Decimal("13.2041766003"), renews_on=date(2026, 12, 1)
)
USAGE = Usage(plan=PLAN, topped_up=Decimal("142.50183461729"), allowed=True, reason=AccessReason.USABLE)
ACCOUNT = Account(
    account_id="did:ada",
    email="ada@acme.example",
    organization_id="org_acme",
    organization_name="Acme Research",
)
CONNECTION = Connection(account=ACCOUNT, may_bill=True, ends_at=NOW + timedelta(days=20))
LINK = PaymentMethod(kind="link", email="ada@acme.example", resolved_via="customerDefault")
WALLET = PaymentMethod(brand="visa", last4="4242", wallet="apple_pay")
CHARGE = Charge(
    id="3f9a5c0e71d2b846",
    identity=ADA,
    state=ChargeState.CONFIRMED,
    amount=Decimal("50.00"),
    idempotency_key="11111111-2222-4333-8444-555555555555",
    account_id="did:ada",
    organization_id="org_acme",
    organization_name="Acme Research",
    account_email="ada@acme.example",
    payment_method=VISA,
    created_at=NOW - timedelta(seconds=20),
    confirmed_at=NOW,
    portal_url=f"{PORTAL}/billing?topup=open",
)
REQUEST = FundsRequest(
    id="7c1d04e9a2b85f36",
    requester=LINUS,
    base_url=PORTAL,
    account_id="did:linus",
    organization_id="org_acme",
    organization_name="Acme Research",
    amount=Decimal("50.00"),
    reason="eval runs for the paper",
    asked_at=NOW - timedelta(minutes=3),
    expires_at=NOW + timedelta(days=3),
)
UPGRADE = replace(CHARGE, kind=ChargeKind.UPGRADE, amount=Decimal("30.00"), tier_id="max", tier_name="Max")
TIERS = (
    Tier(
        id="free", name="Free", order=0, price="$0", monthly=Decimal(0), is_current=False, is_enabled=True
    ),
    Tier(
        id="plus", name="Plus", order=1, price="$20", monthly=Decimal(22), is_current=True, is_enabled=True
    ),
    Tier(
        id="max", name="Max", order=2, price="$50", monthly=Decimal(60), is_current=False, is_enabled=True
    ),
)
CURRENT = CurrentPlan(
    tier_id="plus",
    name="Plus",
    monthly=Decimal(22),
    left=Decimal("13.2"),
    cycle_ends=date(2026, 12, 1),
)
SUBSCRIPTION = Subscription(
    organization_id="org_acme",
    organization_name="Acme Research",
    role=Role.OWNER,
    can_change_plan=None,
    is_team=False,
    current=CURRENT,
    tiers=TIERS,
    manage_url=f"{PORTAL}/manage-subscription?org_id=org_acme",
)
PREVIEW = Preview(
    effect=Effect.CHARGE_NOW,
    reason=None,
    current_name="Plus",
    target_id="max",
    target_name="Max",
    due_now=Decimal(30),
    effective_on=None,
)


def sample_vote(request: FundsRequest, **changed: Any) -> Vote:
    """Ada's yes as the first of two, to what stands in the request."""
    made = Vote(
        id="0" * 32,
        request_id=request.id,
        version=request.version,
        person=ADA,
        account_id="did:ada",
        kind=VoteKind.AGREED,
        method=method_key(VISA),
        seen=method_key(VISA),
        at=NOW,
    )
    return replace(made, **changed)


def sample_charge(
    clock: Clock,
    *,
    charge_id: str = "c1",
    identity: Identity = ADA,
    amount: str = "50.00",
    account: str = "did:ada",
) -> Charge:
    """A purchase that was proposed just now."""
    return replace(
        CHARGE,
        id=charge_id,
        identity=identity,
        account_id=account,
        state=ChargeState.PROPOSED,
        amount=Decimal(amount),
        idempotency_key=f"key-{charge_id}",
        created_at=clock.now(),
        confirmed_at=None,
    )


def sample_link(clock: Clock, **changed: Any) -> Link:
    """A connection that was made just now, with an access token for a quarter of an hour."""
    made = Link(
        identity=ADA,
        account=ACCOUNT,
        base_url=PORTAL,
        scope="billing:manage",
        expires_at=clock.now() + timedelta(minutes=15),
        access="secret-access",
        refresh="secret-refresh",
        grant_id="0123456789abcdef" * 2,
        generation=1,
        linked_at=clock.now(),
    )
    return replace(made, **changed)


def sample_grant(clock: Clock, **changed: Any) -> DeviceGrant:
    """An attempt to connect that began just now."""
    made = DeviceGrant(
        id="g1",
        identity=ADA,
        state=GrantState.PENDING,
        base_url=PORTAL,
        asked_scope="billing:manage",
        purpose=None,
        interval_seconds=5,
        expires_at=clock.now() + timedelta(minutes=15),
        created_at=clock.now(),
        codes=None,
    )
    return replace(made, **changed)
