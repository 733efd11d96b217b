"""A charge's life: its states, the steps allowed between them, and what a person may do in each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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
    """The confirmation was never given in time."""
    CONFIRMED = "confirmed"
    """The person said yes; the portal may or may not have the request yet."""
    NEEDS_SCOPE = "needs_scope"
    """The portal wants the billing permission first; nothing was charged."""
    REFUSED = "refused"
    """The portal said no before charging; nothing was charged."""
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
    # Never refused: a later "no" proves nothing about an earlier request that got no answer.
    ChargeState.UNCONFIRMED: frozenset({ChargeState.SUBMITTED, ChargeState.SETTLED, ChargeState.FAILED}),
}

OPEN = frozenset({ChargeState.OVERDUE, ChargeState.UNCONFIRMED})
"""Told, yet without a certain end: followed up, and offered "Check again"."""

ON_ITS_WAY = frozenset({ChargeState.PROPOSED, ChargeState.CONFIRMED, ChargeState.SUBMITTED})
"""Nothing to tell yet but that it is under way."""

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
"""No money moves, nor may yet move, unless the person says yes."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One intended purchase: the row that decides, whatever a button or a modal says. Times are UTC."""

    id: str
    identity: Identity
    state: ChargeState
    amount: Decimal
    idempotency_key: str
    account_id: str
    organisation_id: str
    organisation_name: str | None
    payment_method: PaymentMethod | None
    created_at: datetime
    account_email: str | None = None
    kind: ChargeKind = ChargeKind.TOP_UP
    tier_id: str | None = None
    tier_name: str | None = None
    confirmed_at: datetime | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    check_asked_at: datetime | None = None
    checked_at: datetime | None = None
    deadline: datetime | None = None
    portal_charge_id: str | None = None
    settled_amount: Decimal | None = None
    failure: FailureReason | None = None
    refusal: RefusalCode | None = None
    refusal_detail: str | None = None
    retry_at: datetime | None = None
    portal_url: str | None = None
    ambiguous_since: datetime | None = None
    permitted_at: datetime | None = None
    """Since when a charge that waits for the billing permission could go on with it."""
    posts: int = 0
    first_post_at: datetime | None = None
    last_post_at: datetime | None = None
    polls: int = 0
    first_poll_at: datetime | None = None
    last_poll_at: datetime | None = None

    def is_of(self, account: Account) -> bool:
        """Tell whether it was confirmed for this account and organization: no other may be charged."""
        return (self.account_id, self.organisation_id) == (account.account_id, account.organisation_id)

    @property
    def check_pending(self) -> bool:
        """Tell whether the person asked for a check that has not been made yet."""
        if self.check_asked_at is None:
            return False
        return self.checked_at is None or self.checked_at < self.check_asked_at

    @property
    def check_under_way(self) -> bool:
        """Tell whether what is said of an open charge is about to be asked about."""
        return self.state in OPEN and self.check_pending

    @property
    def told_amount(self) -> Decimal:
        """The amount to name: the server's once settled, else the requested one (behavior 30)."""
        return self.amount if self.settled_amount is None else self.settled_amount
