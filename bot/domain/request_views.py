"""What people must know of a request before they ask, decide, or look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from bot.domain.next_step import NeedsPaymentMethod
from bot.domain.vote import VoteKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.budget import BudgetUse
    from bot.domain.charge import Charge
    from bot.domain.identity import Account, Identity
    from bot.domain.next_step import Proposal
    from bot.domain.offer import AmountOffer
    from bot.domain.payment import PaymentMethod
    from bot.domain.policy import Policy
    from bot.domain.request import FundsRequest
    from bot.domain.vote import Vote


@dataclass(frozen=True, kw_only=True, slots=True)
class Approvers:
    """Those who are told of a request, and how many more may decide.

    With `channel`, one card goes there instead of their direct messages. `able` counts all who may decide
    and are connected; those who are not are told to connect.
    """

    told: tuple[Identity, ...]
    more: int = 0
    channel: str | None = None
    able: int = 0
    is_short: bool = False
    """Two people decide, and too few of those who could are connected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskForm:
    """What a person must know to ask: which amounts are possible, for whom, and who is told."""

    state: BillingState
    offer: AmountOffer
    account: Account
    approvers: Approvers
    policy: Policy
    counts: bool = False
    """Whether the requester may charge, and so counts as one of two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What whoever decides should know besides.

    `others` are charges of the organization that are under way or young. `granted` is the requester's sum
    of 30 days (US dollars). `denied` is an earlier denial of the same amount.
    """

    others: Sequence[Charge]
    granted: Decimal
    denied: FundsRequest | None
    uses: Sequence[BudgetUse] = ()
    """The budgets that count the request, without it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What a person must know to pay a request, with a proposed charge of their own."""

    request: FundsRequest
    proposal: Proposal
    state: BillingState
    known: Known
    first: Vote | None = None
    """The vote of the first of two; None if one person decides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstReview:
    """What the first of two must know to agree to a request; another person pays, with `method`."""

    request: FundsRequest
    vote: Vote
    method: PaymentMethod
    state: BillingState
    known: Known


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherMethod:
    """The first of two has agreed to another payment method than this person would pay with."""

    request: FundsRequest
    first: Vote
    method: PaymentMethod


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstOfTwo:
    """The first of two who decide on a request.

    `vote` counts now. Without one, `lost` is the last that counted for this version.
    """

    vote: Vote | None = None
    lost: Vote | None = None


class Event(StrEnum):
    """What those who decide on an open request are told in their card's thread."""

    REMINDED = "reminded"
    REOPENED = "reopened"
    AGREED = "agreed"
    """1 of 2."""
    LOST = "lost"
    """The first yes does not count any more."""


def last_event(request: FundsRequest, first: FirstOfTwo | None) -> tuple[Event, datetime] | None:
    """Return the last event of an open request, and its time (UTC); None if there was none."""
    vote = None if first is None else first.vote
    lost = None if first is None else first.lost
    moments = (
        (Event.REOPENED, request.decided_at if request.tries else None),
        (Event.REMINDED, request.reminded_at),
        (Event.AGREED, vote.at if vote is not None and vote.kind is VoteKind.AGREED else None),
        (Event.LOST, None if lost is None else lost.void_at),
    )
    happened = [(event, at) for event, at in moments if at is not None]
    return max(happened, key=lambda each: each[1], default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestList:
    """The requests that concern a person: what waits for them, their own, and the organization's.

    `organization` is None for whoever may not charge there.
    """

    waiting: Sequence[FundsRequest]
    own: Sequence[FundsRequest]
    organization: Sequence[FundsRequest] | None = None


Looked: TypeAlias = Review | FirstReview | OtherMethod | NeedsPaymentMethod
"""What a person sees who looks at a request to decide."""
