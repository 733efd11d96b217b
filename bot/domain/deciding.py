"""Who can decide on a request, and who pays it: the reasons, in the words of the domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.charge import ChargeState
from bot.domain.policy import TWO, Demand
from bot.domain.request import OrganizationKey, RequestState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.domain.charge import Charge
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.domain.vote import Vote

TAKE_OVER_AFTER = timedelta(minutes=10)
"""How long a payer may take to enable billing before somebody else may pay instead."""


class Obstacle(StrEnum):
    """Why a person cannot decide on a request now; also in the audit log and the metrics."""

    SELF = "self"
    LIST = "list"
    """Not one of those who decide, by the organization's policy."""
    TWO = "two"
    """Another person has to agree first."""
    ACCOUNT = "account"
    """The same portal account as the requester's."""
    ROLE = "role"
    ORGANIZATION = "organization"
    VERSION = "version"
    EXPIRED = "expired"
    DECIDED = "decided"
    """It is not open any more."""
    LIMIT = "limit"
    LOCKED = "locked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """A person about to decide, with the portal account and the version that they act with."""

    identity: Identity
    base_url: str
    account_id: str
    organization_id: str


def take_over_at(charge: Charge | None) -> datetime | None:
    """Return from when somebody else may pay instead (UTC); None if the charge may move money."""
    if charge is None or charge.state is not ChargeState.NEEDS_SCOPE or charge.ambiguous_since is not None:
        return None
    return charge.expected_since + TAKE_OVER_AFTER


ALONE = Demand()


def obstacle(
    request: FundsRequest,
    actor: Actor,
    now: datetime,
    *,
    shown: int,
    charge: Charge | None = None,
    demand: Demand = ALONE,
) -> Obstacle | None:
    """Return why a person cannot decide on a request; None if they can, alone or as one of two.

    `shown` is the version that they were shown, `charge` the one that is to pay it, and `demand` what the
    policies ask. The statements that decide have the same conditions (`bot.storage.requests.deciding`).
    """
    mine = OrganizationKey(
        tenant=actor.identity.tenant, base_url=actor.base_url, organization_id=actor.organization_id
    )
    free_at = take_over_at(charge) if request.state is RequestState.CHARGING else None
    is_free = request.state is RequestState.OPEN or (free_at is not None and free_at < now)
    is_over = now >= request.expires_at
    is_late = request.state is RequestState.EXPIRED or (request.state is RequestState.OPEN and is_over)
    checks = (
        (Obstacle.ORGANIZATION, request.key != mine),
        (Obstacle.SELF, request.requester.key == actor.identity.key),
        (Obstacle.ACCOUNT, request.account_id == actor.account_id),
        (Obstacle.EXPIRED, is_late),
        (Obstacle.DECIDED, not is_free or is_over),
        (Obstacle.VERSION, request.version != shown),
        (Obstacle.LIST, not demand.is_listed),
        (Obstacle.LIMIT, not demand.takes(request.amount)),
    )
    return next((why for why, holds in checks if holds), None)


def may_pay(
    request: FundsRequest, actor: Actor, demand: Demand, votes: Sequence[Vote], method: str
) -> bool:
    """Tell whether this person, for whom there is no obstacle, pays: alone, or as the second of two.

    `votes` are those that count, and `method` is the payment method that this person would pay with.
    """
    if max(request.needed, demand.people) < TWO:
        return True
    return any(
        vote.person.key != actor.identity.key
        and vote.account_id != actor.account_id
        and vote.method == method
        for vote in votes
    )
