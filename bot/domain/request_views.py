"""What people must know of a request before they ask, decide, or look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.identity import Account, Identity
    from bot.domain.next_step import Proposal
    from bot.domain.offer import AmountOffer
    from bot.domain.request import FundsRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Approvers:
    """Those who are told of a request, and how many more may decide."""

    told: tuple[Identity, ...]
    more: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AskForm:
    """What a person must know to ask: which amounts are possible, for whom, and who is told."""

    state: BillingState
    offer: AmountOffer
    account: Account
    approvers: Approvers


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What a person must know to pay a request, with a proposed charge of their own.

    `others` are charges of the organization that are under way or young. `granted` is the requester's sum
    of 30 days (US dollars). `denied` is an earlier denial of the same amount.
    """

    request: FundsRequest
    proposal: Proposal
    state: BillingState
    others: Sequence[Charge]
    granted: Decimal
    denied: FundsRequest | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestList:
    """The requests that concern a person: what waits for them, their own, and the organization's.

    `organization` is None for whoever may not charge there.
    """

    waiting: Sequence[FundsRequest]
    own: Sequence[FundsRequest]
    organization: Sequence[FundsRequest] | None = None
