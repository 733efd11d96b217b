"""A charge's states, the transitions between them, and what each transition changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
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
    """A bigger plan: one answer gives the outcome."""


class ChargeState(StrEnum):
    """A charge's state. TRANSITIONS lists the allowed steps."""

    PROPOSED = "proposed"
    """Shown for confirmation, with its idempotency key; nothing was sent."""
    CANCELLED = "cancelled"
    """The person canceled before confirming."""
    EXPIRED = "expired"
    """The person did not confirm in time, or the permission did not come in time."""
    CONFIRMED = "confirmed"
    """The person confirmed; the portal may or may not have received the request."""
    NEEDS_SCOPE = "needs_scope"
    """The portal requires the billing permission first; nothing was charged."""
    REFUSED = "refused"
    """Refused before charging, by the portal or by a lock; nothing was charged."""
    SUBMITTED = "submitted"
    """The portal accepted it and returned a charge id; it is not settled yet."""
    SETTLED = "settled"
    """It is paid: the money is on the balance, or the plan is upgraded."""
    FAILED = "failed"
    """The payment did not go through."""
    OVERDUE = "overdue"
    """Still pending at the deadline: a timeout, not a failure."""
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
            # The single answer to an upgrade is its outcome.
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
    # No step to REFUSED: a later refusal proves nothing about an earlier request without an answer.
    ChargeState.UNCONFIRMED: frozenset({ChargeState.SUBMITTED, ChargeState.SETTLED, ChargeState.FAILED}),
}

OPEN = frozenset({ChargeState.OVERDUE, ChargeState.UNCONFIRMED})
"""The person was notified, but the outcome is uncertain: the app keeps asking and offers "Check again"."""

ON_ITS_WAY = frozenset({ChargeState.PROPOSED, ChargeState.CONFIRMED, ChargeState.SUBMITTED})
"""There is nothing to tell the person except that it is in progress."""

UNFINISHED = (
    ChargeState.CONFIRMED,
    ChargeState.NEEDS_SCOPE,
    ChargeState.SUBMITTED,
    ChargeState.OVERDUE,
    ChargeState.UNCONFIRMED,
)
"""Confirmed by the person, without a certain outcome."""

NOT_CHARGED = frozenset(
    {
        ChargeState.PROPOSED,
        ChargeState.CANCELLED,
        ChargeState.EXPIRED,
        ChargeState.NEEDS_SCOPE,
        ChargeState.REFUSED,
        ChargeState.FAILED,
    }
)
"""No money moves, and none will unless the person confirms (again)."""

TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""Final states: no transition leads out of them."""


class FailureReason(StrEnum):
    """Why a payment failed, as the portal reports it."""

    AUTHENTICATION_REQUIRED = "authentication_required"
    PAYMENT_METHOD_EXPIRED = "payment_method_expired"
    CARD_DECLINED = "card_declined"
    PROCESSING_ERROR = "processing_error"

    @classmethod
    def from_wire(cls, value: str | None) -> FailureReason:
        """Read the portal's `reason`; an unknown one is a processing error."""
        try:
            return cls(value or "")
        except ValueError:
            return cls.PROCESSING_ERROR


class IllegalTransitionError(Exception):
    """A step that is not in TRANSITIONS: always a bug, never bad data."""


def check_transition(before: ChargeState, after: ChargeState) -> None:
    """Check that a step is allowed.

    Raises:
        IllegalTransitionError: the step is not in TRANSITIONS.
    """
    if after not in TRANSITIONS[before]:
        raise IllegalTransitionError(f"{before} -> {after}")


QUIET_SETTLEMENT = timedelta(seconds=30)

KEPT = {"kept": True}
"""Marks a text that the purge keeps. The purge deletes all others, as they may name a person."""

RENEWED = {"renewed": True}
"""Marks an id that the purge replaces by a random one: the audit log has it beside the person's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One intended purchase. Its row decides, not what a button or a modal carries. Times are UTC.

    A method named after an event returns the charge after that event. It raises IllegalTransitionError if
    the event is not possible in the charge's state. `posts` counts the requests to charge, and `polls` the
    requests for the charge's status.
    """

    id: str = field(metadata=RENEWED)
    identity: Identity
    state: ChargeState
    amount: Decimal
    idempotency_key: str = field(metadata=RENEWED)
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
    """When the person last asked for a check."""
    checked_at: datetime | None = None
    deadline: datetime | None = None
    """Until when a submitted charge is polled."""
    portal_charge_id: str | None = None
    settled_amount: Decimal | None = None
    balance_after: Decimal | None = None
    """The balance that the portal showed when it was settled (US dollars); None if that is not known."""
    failure: FailureReason | None = None
    refusal: RefusalCode | None = None
    refusal_detail: str | None = None
    retry_at: datetime | None = None
    portal_url: str | None = None
    ambiguous_since: datetime | None = None
    """When a request to charge first got no clear answer."""
    permitted_at: datetime | None = None
    """When a charge that waits for the billing permission got it."""
    posts: int = 0
    first_post_at: datetime | None = None
    last_post_at: datetime | None = None
    polls: int = 0
    first_poll_at: datetime | None = None
    last_poll_at: datetime | None = None
    request_id: str | None = None
    """The request for funds that it pays, if it pays one."""
    request_version: int | None = None
    """The version of that request that the person was shown."""
    channel: str | None = field(default=None, metadata=KEPT)
    """The channel in which a purchase of one's own was asked for: its budget counts it."""
    offer_signature: str | None = field(default=None, repr=False)
    confirmation_signature: str | None = field(default=None, repr=False)

    @property
    def offer(self) -> tuple[str, ...]:
        """What the person is asked to confirm, as it is signed when it is proposed."""
        return (
            "offer",
            self.id,
            self.identity.key,
            self.kind.value,
            format(self.amount, "f"),
            self.tier_id or "",
            self.idempotency_key,
            self.account_id,
            self.organization_id,
            *(() if self.request_id is None else (self.request_id, str(self.request_version))),
        )

    @property
    def confirmation(self) -> tuple[str, ...]:
        """The confirmation that counts, as it is signed."""
        return confirmation_of(self.id, self.identity, self.expected_since)

    @property
    def is_terminal(self) -> bool:
        """Whether its state is final."""
        return self.state in TERMINAL

    @property
    def has_news(self) -> bool:
        """Whether there is more to tell than that it is in progress."""
        return self.state not in ON_ITS_WAY

    @property
    def settled_quickly(self) -> bool:
        """Whether it settled within 30 seconds of the confirmation; then no thread reply is needed."""
        if self.state is not ChargeState.SETTLED or self.ended_at is None or self.confirmed_at is None:
            return False
        return self.ended_at - self.confirmed_at <= QUIET_SETTLEMENT

    @property
    def expected_since(self) -> datetime:
        """When the person started to expect the charge: the confirmation, or else the proposal."""
        return self.confirmed_at or self.created_at

    def must_wait(self, now: datetime) -> timedelta | None:
        """Return how long a refused charge may not be tried again yet; None if it may."""
        if self.state is not ChargeState.REFUSED or self.retry_at is None or self.retry_at <= now:
            return None
        return self.retry_at - now

    def is_of(self, account: Account) -> bool:
        """Tell whether it was confirmed for this account and organization: no other may be charged."""
        return (self.account_id, self.organization_id) == account.grant

    @property
    def check_pending(self) -> bool:
        """Whether the person asked for a check that has not happened yet."""
        if self.check_asked_at is None:
            return False
        return self.checked_at is None or self.checked_at < self.check_asked_at

    @property
    def check_under_way(self) -> bool:
        """Whether a check that the person asked for is about to happen."""
        return self.state in OPEN and self.check_pending

    @property
    def display_amount(self) -> Decimal:
        """The amount to show: the server's once settled, before that the requested one (behavior 30)."""
        return self.amount if self.settled_amount is None else self.settled_amount

    def posted(self, now: datetime) -> Charge:
        """Count a request to charge that is about to be sent."""
        return replace(
            self, posts=self.posts + 1, first_post_at=self.first_post_at or now, last_post_at=now
        )

    def polled(self, now: datetime) -> Charge:
        """Count a request for the status that is about to be sent."""
        return replace(
            self, polls=self.polls + 1, first_poll_at=self.first_poll_at or now, last_poll_at=now
        )

    def unanswered(self, since: datetime) -> Charge:
        """Record that a request to charge got no clear answer; the first such moment is kept."""
        return self if self.ambiguous_since is not None else replace(self, ambiguous_since=since)

    def accepted(self, portal_charge_id: str, *, now: datetime, deadline: datetime) -> Charge:
        """The portal accepted it and returned its id."""
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
        """The portal requires the billing permission; `permitted_at` is set if it has come meanwhile."""
        return self._to(
            ChargeState.NEEDS_SCOPE, **refusal.facts(self), permitted_at=permitted_at, ended_at=None
        )

    def unconfirmed(self, refusal: Refusal | None = None) -> Charge:
        """It may or may not have been charged; `refusal` is why the portal's answer cannot be had."""
        if refusal is None:
            return self._to(ChargeState.UNCONFIRMED)
        return self._to(ChargeState.UNCONFIRMED, refusal=refusal.code, retry_at=refusal.retry_at)

    def overdue(self) -> Charge:
        """It is pending at the deadline."""
        return self._to(ChargeState.OVERDUE)

    def settled(self, amount: Decimal | None, *, now: datetime, balance: Decimal | None = None) -> Charge:
        """It is paid; `amount` is the portal's, None if it names none. `balance` is the one after it."""
        return self._to(ChargeState.SETTLED, settled_amount=amount, balance_after=balance, ended_at=now)

    def failed(self, reason: FailureReason, *, now: datetime, portal_url: str | None = None) -> Charge:
        """The payment failed; `portal_url` is where the person can fix that."""
        return self._to(
            ChargeState.FAILED, failure=reason, portal_url=portal_url or self.portal_url, ended_at=now
        )

    def expired(self, *, now: datetime) -> Charge:
        """The person did not confirm in time, or the permission did not come in time."""
        return self._to(ChargeState.EXPIRED, ended_at=now)

    def checked(self, refusal: RefusalCode | None, *, now: datetime) -> Charge:
        """A check gave no certain answer; `refusal` is the reason, if known."""
        checked_at = now if self.check_pending else self.checked_at
        return replace(self, refusal=refusal, checked_at=checked_at)

    def counts_on(self, other: Charge) -> Charge:
        """Return `other`, a second reading of the same charge, with this one's counters."""
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
        """Tell whether both look the same on screens."""
        return self.counts_on(replace(other, ambiguous_since=self.ambiguous_since)) == self

    def _to(self, state: ChargeState, **changes: Any) -> Charge:  # noqa: ANN401 - checked by each caller
        check_transition(self.state, state)
        return replace(self, state=state, **changes)


def confirmation_of(charge_id: str, identity: Identity, at: datetime) -> tuple[str, ...]:
    """Return what is signed when a person confirms a charge at that moment."""
    return "confirmation", charge_id, identity.key, at.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A refusal as it is stored with a charge. `retry_at` (UTC) is when to try again, if known."""

    code: RefusalCode
    detail: str | None = None
    retry_at: datetime | None = None
    portal_url: str | None = None

    def facts(self, charge: Charge) -> dict[str, Any]:
        """Return the changed fields of a charge with this refusal."""
        return {
            "refusal": self.code,
            "refusal_detail": self.detail,
            "retry_at": self.retry_at,
            "portal_url": self.portal_url or charge.portal_url,
        }
