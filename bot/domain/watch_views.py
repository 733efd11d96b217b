"""What `/billing alerts` shows and what was filled in there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.episode import Lines, Look
    from bot.domain.identity import Identity
    from bot.domain.policy_views import ChannelProblem
    from bot.domain.watch import Consent, QuietHours, Watch


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsPage:
    """A watch as one person sees it; `watchers` are those whose connection may read it, newest first.

    `look` is what is known now; None if the portal names no balance.
    """

    watch: Watch
    account_id: str
    mine: Consent | None
    watchers: Sequence[Identity]
    may_set: bool
    sees_all: bool
    look: Look | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What the overview says of a watch; `look` is None if the portal names no balance."""

    watch: Watch
    look: Look | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsForm:
    """What a person has filled in; from `lines` on it only counts for who may set that."""

    watches: bool
    tells: bool
    lines: Lines
    quiet: QuietHours | None
    digest: bool
    post_to: str | None = None


class AlertsChannelError(BillingError):
    """No alert can go to the channel that was chosen; `page` has what was filled in."""

    def __init__(self, page: AlertsPage, problem: ChannelProblem) -> None:
        super().__init__(problem.value)
        self.page = page
        self.problem = problem
