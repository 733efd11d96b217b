"""What comes next on the way to a purchase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge
    from bot.domain.identity import Account
    from bot.domain.money import AmountError
    from bot.domain.offer import AmountOffer
    from bot.domain.policy import Hold
    from bot.domain.rules import RuleError


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A charge to confirm; `open_equal` is an equal one whose outcome the person does not know."""

    charge: Charge
    open_equal: Charge | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedsPaymentMethod:
    """There is no payment method; the person must add one on the portal first."""

    state: BillingState
    amount: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChooseAmount:
    """The person must choose an amount from the offer; `problem` says what is wrong with `amount`."""

    state: BillingState
    offer: AmountOffer
    account: Account
    amount: Decimal | None = None
    problem: AmountError | RuleError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirm:
    """The person can now confirm the proposal; `state` is the billing state before it."""

    proposal: Proposal
    state: BillingState


@dataclass(frozen=True, kw_only=True, slots=True)
class AskInstead:
    """Two people decide on so much, for this reason, so the person asks for the amount."""

    state: BillingState
    amount: Decimal
    hold: Hold


NextStep: TypeAlias = NeedsPaymentMethod | ChooseAmount | Confirm | AskInstead
"""The next step of a purchase."""
