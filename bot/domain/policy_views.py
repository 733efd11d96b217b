"""What `/billing team` shows, and why a policy cannot be set as it was filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.budget import BudgetUse
    from bot.domain.policy import Policy


class ChannelProblem(StrEnum):
    """Why no card goes to a channel."""

    PUBLIC = "public"
    SHARED = "shared"
    """Shared with another workspace, or about to be."""
    ARCHIVED = "archived"
    NO_APP = "no_app"
    """The app is not in it, or it is gone."""
    SCOPE = "scope"
    """The app may not ask Slack what kind of channel it is."""
    UNKNOWN = "unknown"
    """Slack does not answer."""


class PolicyProblem(Enum):
    """Why a policy cannot be set as it was filled in."""

    CHANNEL = auto()
    TOO_FEW = auto()
    """Fewer than two people here may pay."""
    TOO_LONG = auto()
    """Longer than the operator lets requests be open."""
    MAX_CHARGE = auto()
    """Above the operator's limit."""
    CHANGED = auto()
    """Somebody else has changed it meanwhile."""
    MEMBERS = auto()
    """Slack does not say who is in the channel or group that is to decide."""
    OWN = auto()
    """Whoever proposed it cannot agree to it."""
    DECIDED = auto()
    """It does not wait for a second person any more."""
    TOO_MANY = auto()
    """There are as many budgets as an organization can have."""


class PolicyProblemError(BillingError):
    """A policy cannot be set; `channel` is what is wrong with the channel.

    `most` (US dollars) and `hours` are the operator's limits.
    """

    def __init__(
        self,
        problem: PolicyProblem,
        *,
        channel: ChannelProblem | None = None,
        most: Decimal | None = None,
        hours: int | None = None,
    ) -> None:
        super().__init__(problem.name)
        self.problem = problem
        self.channel = channel
        self.most = most
        self.hours = hours


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamPage:
    """What `/billing team` shows. `able` counts the people here who can probably decide."""

    policy: Policy
    organization_name: str | None
    account_id: str
    may_set: bool
    able: int
    groups: Sequence[tuple[str, str]]
    life_hours: int
    uses: Sequence[BudgetUse] = ()
    """The budgets that this person may see, as they are used in this month."""


class Saved(Enum):
    """What became of a policy that was filled in."""

    SET = auto()
    PROPOSED = auto()
    """It is looser, and waits for a second person."""
    UNCHANGED = auto()
