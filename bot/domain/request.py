"""A request for funds: one person asks, and another pays it as a purchase of their own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from bot.domain.charge import OPEN, ChargeState
from bot.domain.follow_up import can_be_asked_about
from bot.domain.payment import PaymentMethod
from bot.domain.policy import ONE
from bot.domain.working_hours import USUAL_HOURS, WorkingHours

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.policy import Policy

REQUEST_LIFE = timedelta(hours=72)
"""How long a request is open, unless the operator says otherwise."""

REMIND_EVERY = timedelta(hours=4)
"""How often a requester may remind those who can pay."""

REMIND_AFTER = timedelta(hours=4)
"""After so much working time they are reminded for the first time, and then each working morning."""

REMIND_HOUR = 10
MOST_REMINDERS = 3
ESCALATE_AFTER = timedelta(hours=24)
"""Without a decision by then, those are told who were not told at first."""

MOST_FAILURES = 3
"""After so many failed payments a request ends."""

MOST_OPEN = 3
MOST_OPEN_OF_ORGANIZATION = 20
MOST_A_DAY = 10
"""Requests that one person may file in 24 hours, whatever became of them."""

REASON_LENGTH = 200
DENIED_LATELY = timedelta(days=7)
"""How long a denial is named where the same amount is asked for again."""

LOOK_AGAIN = timedelta(minutes=15)
"""How often a request looks by itself at the charge that pays it."""


class RequestState(StrEnum):
    """A request's state. TRANSITIONS lists the allowed steps."""

    OPEN = "open"
    """Somebody may pay or deny it."""
    CHARGING = "charging"
    """A charge for it is confirmed, and not known to have failed."""
    DONE = "done"
    """The charge was settled."""
    DENIED = "denied"
    """A person who may pay said no."""
    WITHDRAWN = "withdrawn"
    """The requester took it back, or may not ask any more."""
    EXPIRED = "expired"
    """Nobody decided in time; nothing was charged."""
    FAILED = "failed"
    """Three payments failed."""
    UNRESOLVED = "unresolved"
    """Whether it was paid is not known, and the app has stopped asking."""


TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    RequestState.OPEN: frozenset(
        {RequestState.CHARGING, RequestState.DENIED, RequestState.WITHDRAWN, RequestState.EXPIRED}
    ),
    RequestState.CHARGING: frozenset(
        {
            RequestState.OPEN,
            RequestState.DONE,
            RequestState.FAILED,
            # Nothing was charged, and the time is over or the requester has left meanwhile.
            RequestState.EXPIRED,
            RequestState.WITHDRAWN,
            RequestState.UNRESOLVED,
        }
    ),
    RequestState.UNRESOLVED: frozenset({RequestState.DONE, RequestState.FAILED}),
    RequestState.DONE: frozenset(),
    RequestState.DENIED: frozenset(),
    RequestState.WITHDRAWN: frozenset(),
    RequestState.EXPIRED: frozenset(),
    RequestState.FAILED: frozenset(),
}

GOING_ON = (RequestState.OPEN, RequestState.CHARGING, RequestState.UNRESOLVED)
"""Not ended for certain: the same person cannot ask for the same amount again."""


class Withdrawal(StrEnum):
    """Why a request was withdrawn."""

    BY_REQUESTER = "requester"
    LEFT = "left"
    """The requester is not connected to the organization any more."""
    SWITCHED_OFF = "switched_off"
    """The operator has switched requests off."""
    RESTORED = "restored"
    """The app's records were restored from a copy: it may have been paid since the copy was made."""


SETUP = "setup"
"""The problem of a payment for which billing was not enabled in time."""


class IllegalRequestTransitionError(Exception):
    """A step that is not in TRANSITIONS: always a bug, never bad data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganizationKey:
    """An organization as this app counts it: one of a portal, within one workspace or grid."""

    tenant: str
    base_url: str
    organization_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FundsRequest:
    """One request. Its row decides, not what a button carries. Times are UTC, amounts US dollars.

    A method named after an event returns the request after that event. It raises
    IllegalRequestTransitionError if the event is not possible in the request's state.
    """

    id: str
    requester: Identity
    base_url: str
    account_id: str
    """The requester's portal account: it may not pay the request."""
    organization_id: str
    organization_name: str | None
    amount: Decimal
    reason: str = field(repr=False)
    asked_at: datetime
    expires_at: datetime
    state: RequestState = RequestState.OPEN
    version: int = 1
    """Counts the changes of amount and reason; a decision is bound to the version that was shown."""
    charge_id: str | None = None
    """The charge that pays it; None unless one may."""
    decided_at: datetime | None = None
    decided_by: str | None = None
    """The key of the person who decided last: who denied it, or whose charge was to pay it."""
    deny_reason: str | None = field(default=None, repr=False)
    withdrawn_why: Withdrawal | None = None
    """Why it was withdrawn, or will be if its charge adds nothing."""
    tries: int = 0
    """How many charges ended without any money."""
    failures: int = 0
    """How many of them were failed payments."""
    problem: str | None = None
    """Why the last charge added nothing: its failure, its refusal's code, or SETUP."""
    not_before: datetime | None = None
    """Until when the portal takes no charge of the organization."""
    reminders: int = 0
    reminded_at: datetime | None = None
    zone: str = "UTC"
    """The requester's time zone when they asked: reminders come in its working hours."""
    escalated_at: datetime | None = None
    """When those were told who had not been at first."""
    needed: int = ONE
    """How many people who may charge it needs: the requester counts if they may, and never pays."""
    policy_version: int = 0
    """The policy when it was filed; a looser one later does not hold for it."""
    hours: str = USUAL_HOURS
    """The working hours in which reminders come, as `WorkingHours.to_text` writes them."""
    wanted_method: str | None = None
    """The payment method that the second person would pay with, if the first is to agree to that one."""
    channel: str | None = None
    """The channel in which it was asked for: its budget counts it."""

    @property
    def key(self) -> OrganizationKey:
        """The organization whose balance it is for."""
        return OrganizationKey(
            tenant=self.requester.tenant, base_url=self.base_url, organization_id=self.organization_id
        )

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return not TRANSITIONS[self.state]

    def is_open(self, now: datetime) -> bool:
        """Tell whether somebody may decide on it now: a request whose time is over is not."""
        return self.state is RequestState.OPEN and now < self.expires_at

    def may_remind_at(self) -> datetime | None:
        """Return when the requester may remind again (UTC); None if at once."""
        return None if self.reminded_at is None else self.reminded_at + REMIND_EVERY

    @property
    def is_reminded_enough(self) -> bool:
        """Whether nobody is reminded any more."""
        return self.reminders >= MOST_REMINDERS

    def reminds_at(self) -> datetime | None:
        """Return when those who were told are reminded next (UTC), in working hours; None for no more."""
        if self.is_reminded_enough:
            return None
        hours = WorkingHours.read(self.hours, self.zone)
        if self.reminded_at is None:
            return hours.after(self.asked_at, REMIND_AFTER)
        return hours.next_morning(self.reminded_at, REMIND_HOUR)

    def escalates_at(self) -> datetime | None:
        """Return when others are told as well (UTC); None if they were."""
        return None if self.escalated_at is not None else self.asked_at + ESCALATE_AFTER

    def due_at(self) -> datetime:
        """Return when time does something with an open request next (UTC)."""
        moments = (self.expires_at, self.reminds_at(), self.escalates_at())
        return min(each for each in moments if each is not None)

    def escalated(self, now: datetime) -> FundsRequest:
        """Others were told as well."""
        self._require(RequestState.OPEN)
        return replace(self, escalated_at=now)

    def edited(self, amount: Decimal, reason: str, *, needed: int) -> FundsRequest:
        """The requester changed it; what others were shown does not count any more."""
        self._require(RequestState.OPEN)
        return replace(
            self, amount=amount, reason=reason, version=self.version + 1, needed=needed, wanted_method=None
        )

    def asked_about(self, method: PaymentMethod) -> FundsRequest:
        """The second person asks the first to agree to the payment method that they would pay with."""
        self._require(RequestState.OPEN)
        return replace(self, wanted_method=method.to_text())

    @property
    def wanted(self) -> PaymentMethod | None:
        """The payment method that the first person is to agree to; None for their own."""
        return None if self.wanted_method is None else PaymentMethod.from_text(self.wanted_method)

    def tightened(self, policy: Policy, before: Decimal, life: timedelta) -> FundsRequest:
        """A newer policy holds for it where it is stricter; `before` is what was added in 24 hours."""
        self._require(RequestState.OPEN)
        hours = life if policy.life_hours is None else min(life, timedelta(hours=policy.life_hours))
        return replace(
            self,
            needed=max(self.needed, policy.people_for(self.amount, before)),
            expires_at=min(self.expires_at, self.asked_at + hours),
        )

    def reminded(self, now: datetime) -> FundsRequest:
        """The requester reminded those who can pay."""
        self._require(RequestState.OPEN)
        return replace(self, reminders=self.reminders + 1, reminded_at=now)

    def denied(self, by: Identity, reason: str, now: datetime) -> FundsRequest:
        """A person who may pay said no."""
        return self._to(RequestState.DENIED, decided_by=by.key, decided_at=now, deny_reason=reason)

    def withdrawn(self, why: Withdrawal, now: datetime) -> FundsRequest:
        """The requester took it back, or may not ask any more."""
        return self._to(RequestState.WITHDRAWN, withdrawn_why=why, decided_at=now, charge_id=None)

    def expired(self, now: datetime) -> FundsRequest:
        """Nobody decided in time."""
        return self._to(RequestState.EXPIRED, decided_at=now)

    def followed(self, charge: Charge, now: datetime) -> FundsRequest:
        """Return the request after its charge has entered its state; unchanged while that is no end."""
        match charge.state:
            case ChargeState.SETTLED:
                return self._to(RequestState.DONE, decided_at=now)
            case ChargeState.FAILED:
                failures = self.failures + 1
                if failures >= MOST_FAILURES or self.state is RequestState.UNRESOLVED:
                    facts = {"failures": failures, "problem": _problem(charge)}
                    return self._to(RequestState.FAILED, decided_at=now, **facts)
                return replace(self._reopened(charge, now), failures=failures)
            case _ if self.state is RequestState.CHARGING and _is_unknown(charge, now):
                return self._to(RequestState.UNRESOLVED)
            case ChargeState.REFUSED | ChargeState.EXPIRED if self.state is RequestState.CHARGING:
                return self._reopened(charge, now)
        return self

    def _reopened(self, charge: Charge, now: datetime) -> FundsRequest:
        """Nothing was charged, so others may pay it; past its time it ends."""
        facts = {
            "charge_id": None,
            "tries": self.tries + 1,
            "problem": _problem(charge),
            "not_before": charge.retry_at,
        }
        if self.withdrawn_why is not None:
            return self._to(RequestState.WITHDRAWN, decided_at=now, **facts)
        if now >= self.expires_at:
            return self._to(RequestState.EXPIRED, decided_at=now, **facts)
        return self._to(RequestState.OPEN, **facts)

    def _to(self, state: RequestState, **changes: Any) -> FundsRequest:  # noqa: ANN401 - checked by each caller
        check_step(self.state, state)
        return replace(self, state=state, **changes)

    def _require(self, state: RequestState) -> None:
        if self.state is not state:
            raise IllegalRequestTransitionError(f"{self.state} is not {state}")


def check_step(before: RequestState, after: RequestState) -> None:
    """Check that a step is allowed.

    Raises:
        IllegalRequestTransitionError: the step is not in TRANSITIONS.
    """
    if after not in TRANSITIONS[before]:
        raise IllegalRequestTransitionError(f"{before} -> {after}")


def _problem(charge: Charge) -> str:
    if charge.failure is not None and charge.state is ChargeState.FAILED:
        return charge.failure.value
    return SETUP if charge.refusal is None or charge.state is ChargeState.EXPIRED else charge.refusal.value


def _is_unknown(charge: Charge, now: datetime) -> bool:
    """Tell whether nobody knows, or will learn by itself, if a charge has moved money.

    One of a restored copy that ended without being sent may have been sent after the copy was made.
    """
    if charge.state in {ChargeState.REFUSED, ChargeState.EXPIRED}:
        return charge.ambiguous_since is not None
    is_followed = can_be_asked_about(replace(charge, portal_charge_id=None), now)
    return charge.state in OPEN and not is_followed
