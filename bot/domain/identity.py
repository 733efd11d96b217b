"""Who acts: a person of Slack, and the portal account behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A Slack person. A user id alone names nobody: ids are unique within an enterprise or a team only.

    `enterprise` is empty outside Enterprise Grid. On a grid it decides and `team` is dropped from the
    key, since the same person appears under several workspaces (and under two team ids) there.
    """

    enterprise: str
    team: str
    user: str

    @property
    def tenant(self) -> str:
        """The enterprise, or outside a grid the team: what a lock covers."""
        return self.enterprise or self.team

    @property
    def key(self) -> str:
        """The one stored form, e.g. `T0ACME:U0ADA` or `E0GRID:U0ADA`."""
        return f"{self.tenant}:{self.user}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A portal account within an organization, as a grant is bound to it."""

    account_id: str
    email: str | None
    organization_id: str
    organization_name: str | None

    @property
    def grant(self) -> tuple[str, str]:
        """What a grant is bound to: the account and the organization (behavior 42)."""
        return self.account_id, self.organization_id


BILLING_SCOPE = "billing:manage"
"""The permission for whatever spends or changes (docs/portal.md, section 3.1)."""

GRANT_LIFE = timedelta(days=30)
"""A grant ends so long after its approval, whatever is refreshed (docs/portal.md, section 3.6)."""

ENDS_SOON = timedelta(days=3)
"""So long before the end people are reminded of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A person's living grant, as screens need it: whose it is, what it may do, and until when (UTC)."""

    account: Account
    may_bill: bool
    ends_at: datetime

    def ends_soon(self, now: datetime) -> bool:
        """Tell whether the person should connect again now."""
        return now >= self.ends_at - ENDS_SOON


def has_scope(granted: str, wanted: str) -> bool:
    """Tell whether a space-separated scope holds `wanted` as a whole token (RFC 6749, 3.3)."""
    return wanted in granted.split()
