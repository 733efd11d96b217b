"""A charge's life: its states, the transitions between them, and what each changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.errors import RefusalCode
    from bot.domain.identity import Account, Identity
    from bot.domain.payment import PaymentMethod


class ChargeKind(StrEnum):
    """What the money is for."""

    TOP_UP = "top_up"
    """Funds for the balance: accepted first, settled later."""
    UPGRADE = "upgrade"
    """A bigger plan: one answer says how it ended."""


class ChargeState(StrEnum):
    """Where a charge stands. The arrows are TRANSITIONS."""

    PROPOSED = "proposed"
    """Shown for confirmation; key made; nothing sent."""
    CANCELLED = "cancelled"
    """The person turned back before confirming."""
    EXPIRED = "expired"
    """The person did not confirm in time."""
    CONFIRMED = "confirmed"
    """The person confirmed; the portal may or may not have the request yet."""
    NEEDS_SCOPE = "needs_scope"
    """The portal wants the billing permission first; nothing was charged."""
    REFUSED = "refused"
    """The portal refused before charging; nothing was charged."""
    SUBMITTED = "submitted"
    """The portal took it and gave a charge id; the money is not confirmed yet."""
    SETTLED = "settled"
    """The money is on the balance."""
    FAILED = "failed"
    """The payment did not go through."""
    OVERDUE = "overdue"
    """Still pending at the cap: a timeout, not a failure."""
    UNCONFIRMED = "unconfirmed"
    """It may or may not have been charged."""


TRANSITIONS: dict[ChargeState, frozenset[ChargeState]] = {
    ChargeState.PROPOSED: frozenset({ChargeState.CONFIRMED, ChargeState.CANCELLED, ChargeState.EXPIRED}),
    ChargeState.CANCELLED: frozenset(),
    ChargeState.EXPIRED: frozenset(),
    ChargeState.CONFIRMED: frozenset(
        {
            ChargeState.NEEDS_SCOPE,
            ChargeState.REFUSED,
            ChargeState.SUBMITTED,
            ChargeState.UNCONFIRMED,
            # An upgrade's one answer is its end.
            ChargeState.SETTLED,
            ChargeState.FAILED,
        }
    ),
    ChargeState.NEEDS_SCOPE: frozenset({ChargeState.CONFIRMED, ChargeState.REFUSED, ChargeState.EXPIRED}),
    ChargeState.REFUSED: frozenset(),
    ChargeState.SUBMITTED: frozenset(
        {
            ChargeState.SETTLED,
            ChargeState.FAILED,
            ChargeState.OVERDUE,
            ChargeState.UNCONFIRMED,
        }
    ),
    ChargeState.SETTLED: frozenset(),
    ChargeState.FAILED: frozenset(),
    ChargeState.OVERDUE: frozenset({ChargeState.SETTLED, ChargeState.FAILED, ChargeState.UNCONFIRMED}),
    # Never refused: a later refusal proves nothing about an earlier request that got no answer.
    ChargeState.UNCONFIRMED: frozenset({ChargeState.SUBMITTED, ChargeState.SETTLED, ChargeState.FAILED}),
}

OPEN = frozenset({ChargeState.OVERDUE, ChargeState.UNCONFIRMED})
"""The person was notified, yet the end is uncertain: followed up, and offered "Check again"."""

ON_ITS_WAY = frozenset({ChargeState.PROPOSED, ChargeState.CONFIRMED, ChargeState.SUBMITTED})
"""There is no news for the person but that it is under way."""

UNFINISHED = (
    ChargeState.CONFIRMED,
    ChargeState.NEEDS_SCOPE,
    ChargeState.SUBMITTED,
    ChargeState.OVERDUE,
    ChargeState.UNCONFIRMED,
)
"""Confirmed by the person, and without a certain end."""

NOT_CHARGED = frozenset(
    {
        ChargeState.PROPOSED,
        ChargeState.CANCELLED,
        ChargeState.EXPIRED,
        ChargeState.REFUSED,
        ChargeState.FAILED,
    }
)
"""No money moves, nor may yet move, unless the person confirms."""

TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""Nothing can change any more."""


class FailureReason(StrEnum):
    """Why a payment did not go through, as the portal gives it."""

    AUTHENTICATION_REQUIRED = "authentication_required"
    PAYMENT_METHOD_EXPIRED = "payment_method_expired"
    CARD_DECLINED = "card_declined"
    PROCESSING_ERROR = "processing_error"

    @classmethod
    def from_wire(cls, value: str | None) -> FailureReason:
        """Read the portal's `reason`; anything unknown is a processing error."""
        try:
            return cls(value or "")
        except ValueError:
            return cls.PROCESSING_ERROR


class IllegalTransitionError(Exception):
    """A step that TRANSITIONS does not know: a mistake in the program, never in the data."""


def check_transition(before: ChargeState, after: ChargeState) -> None:
    """Let an allowed step pass.

    Raises:
        IllegalTransitionError: the step is not in TRANSITIONS.
    """
    if after not in TRANSITIONS[before]:
        raise IllegalTransitionError(f"{before} -> {after}")


QUIET_SETTLEMENT = timedelta(seconds=30)

KEPT = {"kept": True}
"""Marks a text that the purge keeps. Every other text of a charge may name a person, and is purged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One intended purchase. Its row decides, whatever a button or a modal says. Times are UTC.

    A method that is named after what happened returns the charge as it is after that, and raises
    IllegalTransitionError where that cannot happen in its state. `posts` counts the requests for the money,
    `polls` the questions how it stands.
    """

    id: str = field(metadata=KEPT)
    identity: Identity
    state: ChargeState
    amount: Decimal
    idempotency_key: str = field(metadata=KEPT)
    account_id: str
    organization_id: str
    organization_name: str | None
    payment_method: PaymentMethod | None
    created_at: datetime
    account_email: str | None = None
    kind: ChargeKind = ChargeKind.TOP_UP
    tier_id: str | None = field(default=None, metadata=KEPT)
    tier_name: str | None = field(default=None, metadata=KEPT)
    confirmed_at: datetime | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    check_asked_at: datetime | None = None
    """When the person last asked to have it checked."""
    checked_at: datetime | None = None
    deadline: datetime | None = None
    """Until when a submitted charge is polled."""
    portal_charge_id: str | None = field(default=None, metadata=KEPT)
    settled_amount: Decimal | None = None
    failure: FailureReason | None = None
    refusal: RefusalCode | None = None
    refusal_detail: str | None = None
    retry_at: datetime | None = None
    portal_url: str | None = None
    ambiguous_since: datetime | None = None
    """Since when there is a request for the money whose answer is unknown."""
    permitted_at: datetime | None = None
    """Since when a charge that waits for the billing permission could go on with it."""
    posts: int = 0
    first_post_at: datetime | None = None
    last_post_at: datetime | None = None
    polls: int = 0
    first_poll_at: datetime | None = None
    last_poll_at: datetime | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can change any more."""
        return self.state in TERMINAL

    @property
    def has_news(self) -> bool:
        """Whether there is more to say than that it is on its way."""
        return self.state not in ON_ITS_WAY

    @property
    def settled_quickly(self) -> bool:
        """Whether it settled within half a minute of the confirmation: the message alone says so."""
        if self.state is not ChargeState.SETTLED or self.ended_at is None or self.confirmed_at is None:
            return False
        return self.ended_at - self.confirmed_at <= QUIET_SETTLEMENT

    @property
    def expected_since(self) -> datetime:
        """From when the person expects the charge: the confirmation, or else the proposal."""
        return self.confirmed_at or self.created_at

    def is_of(self, account: Account) -> bool:
        """Tell whether it was confirmed for this account and organization: no other may be charged."""
        return (self.account_id, self.organization_id) == account.grant

    @property
    def check_pending(self) -> bool:
        """Whether the person asked for a check that has not been made yet."""
        if self.check_asked_at is None:
            return False
        return self.checked_at is None or self.checked_at < self.check_asked_at

    @property
    def check_under_way(self) -> bool:
        """Whether an open charge is about to be asked about because the person wanted that."""
        return self.state in OPEN and self.check_pending

    @property
    def display_amount(self) -> Decimal:
        """The amount to name: the server's once settled, else the requested one (behavior 30)."""
        return self.amount if self.settled_amount is None else self.settled_amount

    def posted(self, now: datetime) -> Charge:
        """A request for the money leaves."""
        return replace(
            self, posts=self.posts + 1, first_post_at=self.first_post_at or now, last_post_at=now
        )

    def polled(self, now: datetime) -> Charge:
        """A question how it stands leaves."""
        return replace(
            self, polls=self.polls + 1, first_poll_at=self.first_poll_at or now, last_poll_at=now
        )

    def unanswered(self, since: datetime) -> Charge:
        """A request for the money got no clear answer; the first such request counts."""
        return self if self.ambiguous_since is not None else replace(self, ambiguous_since=since)

    def accepted(self, portal_charge_id: str, *, now: datetime, deadline: datetime) -> Charge:
        """The portal took it and gave it an id."""
        return self._to(
            ChargeState.SUBMITTED,
            portal_charge_id=portal_charge_id,
            refusal=None,
            refusal_detail=None,
            retry_at=None,
            submitted_at=now,
            deadline=deadline,
        )

    def refused(self, refusal: Refusal, *, now: datetime) -> Charge:
        """The portal refused it, and certainly charged nothing."""
        return self._to(ChargeState.REFUSED, **refusal.facts(self), permitted_at=None, ended_at=now)

    def needs_scope(self, refusal: Refusal, *, permitted_at: datetime | None) -> Charge:
        """The portal wants the billing permission first, which may have come meanwhile."""
        return self._to(
            ChargeState.NEEDS_SCOPE, **refusal.facts(self), permitted_at=permitted_at, ended_at=None
        )

    def unconfirmed(self, refusal: Refusal | None = None) -> Charge:
        """It may or may not have been charged; `refusal` is what keeps the portal's answer away."""
        if refusal is None:
            return self._to(ChargeState.UNCONFIRMED)
        return self._to(ChargeState.UNCONFIRMED, refusal=refusal.code, retry_at=refusal.retry_at)

    def overdue(self) -> Charge:
        """It is still pending at the deadline."""
        return self._to(ChargeState.OVERDUE)

    def settled(self, amount: Decimal | None, *, now: datetime) -> Charge:
        """The money is on the balance; `amount` is the portal's, None where it names none."""
        return self._to(ChargeState.SETTLED, settled_amount=amount, ended_at=now)

    def failed(self, reason: FailureReason, *, now: datetime, portal_url: str | None = None) -> Charge:
        """The payment did not go through; `portal_url` is where it can be mended."""
        return self._to(
            ChargeState.FAILED, failure=reason, portal_url=portal_url or self.portal_url, ended_at=now
        )

    def expired(self, *, now: datetime) -> Charge:
        """The person did not confirm in time, or the permission did not come in time."""
        return self._to(ChargeState.EXPIRED, ended_at=now)

    def checked(self, refusal: RefusalCode | None, *, now: datetime) -> Charge:
        """It was asked about without a certain answer; `refusal` is what keeps that away."""
        checked_at = now if self.check_pending else self.checked_at
        return replace(self, refusal=refusal, checked_at=checked_at)

    def counts_on(self, other: Charge) -> Charge:
        """Return another reading of the same charge with what was counted on this one."""
        return replace(
            other,
            posts=self.posts,
            first_post_at=self.first_post_at,
            last_post_at=self.last_post_at,
            polls=self.polls,
            first_poll_at=self.first_poll_at,
            last_poll_at=self.last_poll_at,
        )

    def reads_like(self, other: Charge) -> bool:
        """Tell whether screens show the same of both."""
        return self.counts_on(replace(other, ambiguous_since=self.ambiguous_since)) == self

    def _to(self, state: ChargeState, **changes: Any) -> Charge:  # noqa: ANN401 - checked by each caller
        check_transition(self.state, state)
        return replace(self, state=state, **changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A refusal as a charge keeps it. `retry_at` (UTC) is when the portal takes it again, if it says so."""

    code: RefusalCode
    detail: str | None = None
    retry_at: datetime | None = None
    portal_url: str | None = None

    def facts(self, charge: Charge) -> dict[str, Any]:
        """Return the changed fields of a charge that is refused so."""
        return {
            "refusal": self.code,
            "refusal_detail": self.detail,
            "retry_at": self.retry_at,
            "portal_url": self.portal_url or charge.portal_url,
        }
