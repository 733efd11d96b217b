"""Clicks on a request, as rows of the database and as the model in Python sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.charge import ChargeState
from bot.domain.deciding import TAKE_OVER_AFTER, Actor, may_pay, obstacle
from bot.domain.policy import Before, Demand, Policy
from bot.domain.request import FundsRequest, OrganizationKey, RequestState
from bot.domain.vote import Voided, Vote, VoteKind, method_key
from tests.support.samples import ADA, GRACE, PORTAL, VISA, sample_charge

if TYPE_CHECKING:
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One click: what stands in the rows, and who comes with which version at which moment."""

    state: RequestState
    other: str | None
    """The charge that is to pay it: one that waits, for a short or a long time, or one under way."""
    shown: int
    amount: str
    ends_in: int
    is_requester: bool
    account: str
    organization: str
    base_url: str
    team: str
    link: str
    needed: int = 1
    policies: str = "none"
    """The versions since the request was filed, by their name in POLICIES."""
    is_tampered: bool = False
    """Somebody has changed the newest policy in the database, or the vote."""
    is_in_channel: bool = True
    added: str = "0"
    """What the requester has bought within the last 24 hours, or longer ago."""
    vote: str = "none"


CHANNEL = "C0SPEND"


LINE_AT, LINE_ABOVE = (Policy(two_people_from=Decimal(line)) for line in ("50.00", "50.01"))


POLICIES: dict[str, tuple[Policy, ...]] = {
    "none": (),
    "this person": (Policy(approvers=(ADA.user,)),),
    "another person": (Policy(approvers=(GRACE.user,)),),
    "a channel": (Policy(approver_channel=CHANNEL),),
    "a channel by now": (Policy(), Policy(approver_channel=CHANNEL)),
    "the line at the amount": (LINE_AT,),
    "the line above the amount": (LINE_ABOVE,),
    "the line above, reached by what was added": (Policy(two_people_from=Decimal(80)),),
    "the line taken away later": (LINE_AT, Policy()),
    "the line moved down later": (LINE_ABOVE, LINE_AT),
    "at most less": (Policy(request_max=Decimal("49.99")),),
    "at most so much": (Policy(request_max=Decimal(50)),),
}


GOOD = Case(
    state=RequestState.OPEN,
    other=None,
    shown=2,
    amount="50.00",
    ends_in=3600,
    is_requester=False,
    account="did:ada",
    organization="org_acme",
    base_url=PORTAL,
    team="T0ACME",
    link="good",
)


ACME = OrganizationKey(tenant="T0ACME", base_url=PORTAL, organization_id="org_acme")


def bought(case: Case, request: FundsRequest, clock: Clock) -> Charge | None:
    """Return what the requester has bought for themselves."""
    amount, _, ago = case.added.partition(" ")
    if amount == "0":
        return None
    made = sample_charge(clock, charge_id="bought", identity=request.requester, amount=amount)
    at = clock.now() - timedelta(hours=25 if ago else 23)
    return replace(made, state=ChargeState.SETTLED, confirmed_at=at)


def vote_on(case: Case, request: FundsRequest, charge: Charge, clock: Clock) -> Vote | None:
    """Return the vote that stands beside the request."""
    if case.vote == "none":
        return None
    person, account = replace(GRACE, user="U0OMAR"), "did:omar"
    if case.vote == "own":
        person, account = charge.identity, charge.account_id
    elif case.vote == "own account":
        account = charge.account_id
    elif case.vote == "requester's":
        person, account = request.requester, request.account_id
    method = "another" if case.vote == "other card" else method_key(VISA)
    return Vote(
        id="v1",
        request_id=request.id,
        version=1 if case.vote == "other version" else request.version,
        person=person,
        account_id=account,
        kind=VoteKind.ASKED if case.vote == "requester's" else VoteKind.AGREED,
        method=method,
        seen=method,
        at=clock.now(),
        void_at=clock.now() if case.vote == "void" else None,
        void_why=Voided.EDITED if case.vote == "void" else None,
    )


def rows(case: Case, clock: Clock) -> tuple[FundsRequest, Charge | None, Charge]:
    """Return the request, the charge that is to pay it, and the one that is about to."""
    now = clock.now()
    other = None
    if case.state is RequestState.CHARGING and case.other is not None:
        waited = TAKE_OVER_AFTER + SECOND if case.other == "waited" else TAKE_OVER_AFTER
        state = ChargeState.CONFIRMED if case.other == "under way" else ChargeState.NEEDS_SCOPE
        made = sample_charge(clock, charge_id="other", identity=GRACE, account="did:grace")
        other = replace(made, state=state, confirmed_at=now - waited, request_id="r1", request_version=2)
    actor = replace(ADA, team=case.team)
    request = FundsRequest(
        id="r1",
        requester=replace(actor, team="T0ACME") if case.is_requester else replace(ADA, user="U0LINUS"),
        base_url=PORTAL,
        account_id="did:linus",
        organization_id="org_acme",
        organization_name="Acme Research",
        amount=sample_charge(clock).amount,
        reason="tests",
        asked_at=now - timedelta(days=1),
        expires_at=now + case.ends_in * SECOND,
        state=case.state,
        version=2,
        charge_id=None if other is None else other.id,
        needed=case.needed,
        policy_version=1 if POLICIES[case.policies] else 0,
    )
    charge = sample_charge(clock, charge_id="mine", identity=actor, amount=case.amount)
    charge = replace(
        charge,
        account_id=case.account,
        organization_id=case.organization,
        request_id="r1",
        request_version=case.shown,
    )
    return request, other, charge


def model(case: Case, clock: Clock) -> bool:
    """Whether this click counts, by the domain's own words and nothing else."""
    request, other, charge = rows(case, clock)
    actor = Actor(
        identity=charge.identity,
        base_url=case.base_url,
        account_id=case.account,
        organization_id=case.organization,
    )
    demand = demand_of(case, request, charge, clock)
    why = obstacle(request, actor, clock.now(), shown=case.shown, charge=other, demand=demand)
    if why is not None or case.link != "good" or charge.amount != request.amount:
        return False
    vote = vote_on(case, request, charge, clock)
    lost = {"void", "voter gone", "voter's session over", "other version"}
    counting = [] if vote is None or case.vote in lost or case.is_tampered else [vote]
    return may_pay(request, actor, demand, counting, method_key(VISA))


def demand_of(case: Case, request: FundsRequest, charge: Charge, clock: Clock) -> Demand:
    """Return what the policies ask, by the domain's own words."""
    found = list(POLICIES[case.policies])
    if case.is_tampered:
        found = [replace(each, is_broken=True) for each in found]
    own = bought(case, request, clock)
    day = Decimal(0) if own is None or case.added.endswith("ago") else own.amount
    return Demand.of(
        found,
        request.amount,
        before=Before(day=day),
        user=charge.identity.user,
        memberships={CHANNEL: case.is_in_channel},
    )
