"""Why a request cannot be filed, changed or decided on; their words are in `blocks.request_words`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from bot.domain.budget import BudgetUse
    from bot.domain.charge import Charge
    from bot.domain.deciding import Obstacle
    from bot.domain.policy import Policy
    from bot.domain.request import FundsRequest


class RequestError(BillingError):
    """A request cannot be decided on by this person, or not any more. `request` is how it stands now.

    `charge` is the one that is to pay it, and `take_over_at` (UTC) when somebody else may pay instead.
    `policies` are those that do not let this person decide, and `over` the budget over which it goes.
    """

    def __init__(
        self,
        request: FundsRequest,
        why: Obstacle,
        *,
        charge: Charge | None = None,
        take_over_at: datetime | None = None,
        policies: Sequence[Policy] = (),
        over: BudgetUse | None = None,
    ) -> None:
        super().__init__(f"{request.id} {why.value}")
        self.request = request
        self.why = why
        self.charge = charge
        self.take_over_at = take_over_at
        self.policies = policies
        self.over = over


class RequestNotFoundError(BillingError):
    """There is no such request in this person's workspace."""


class NotFullMemberError(BillingError):
    """Slack does not say that this person is a full member of the workspace: a guest, or not known."""


class AboveMostError(BillingError):
    """The organization's policy lets nobody ask for more than `most` (US dollars)."""

    def __init__(self, most: Decimal) -> None:
        super().__init__(str(most))
        self.most = most


class MayAddItselfError(BillingError):
    """The requester may add funds, so they need not ask."""


class MemberCapError(BillingError):
    """The requester has reached their own cap at the organization: more funds do not lift it."""

    def __init__(self, portal_url: str) -> None:
        super().__init__()
        self.portal_url = portal_url


class TooMany(StrEnum):
    """Which number of requests is reached."""

    OWN = "own"
    ORGANIZATION = "organization"
    DAY = "day"


class TooManyRequestsError(BillingError):
    """The person, or the organization, has too many requests."""

    def __init__(self, which: TooMany) -> None:
        super().__init__(which.value)
        self.which = which


class AskedAlreadyError(BillingError):
    """The person has asked for this amount already; `request` is that request."""

    def __init__(self, request: FundsRequest) -> None:
        super().__init__(request.id)
        self.request = request


class RemindedAlreadyError(BillingError):
    """The requester may remind again at `at` (UTC); None if they were reminded as often as may be."""

    def __init__(self, at: datetime | None) -> None:
        super().__init__()
        self.at = at
