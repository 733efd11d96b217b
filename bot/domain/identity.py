"""The acting person: their Slack identity, and their portal account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


FORGOTTEN = "forgotten"
"""Stands in place of a person of whom nothing is kept any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A Slack person. A user id alone is not enough: it is unique only within an enterprise or a team.

    `enterprise` is empty outside Enterprise Grid. On a grid, the key uses `enterprise` and not `team`,
    because the same person appears under several workspaces there.
    """

    enterprise: str
    team: str
    user: str

    @property
    def tenant(self) -> str:
        """The enterprise, or outside a grid the team; a lock covers one tenant."""
        return self.enterprise or self.team

    @property
    def key(self) -> str:
        """The stored form, e.g. `T0ACME:U0ADA` or `E0GRID:U0ADA`."""
        return f"{self.tenant}:{self.user}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A portal account within one organization; a grant belongs to this pair."""

    account_id: str
    email: str | None
    organization_id: str
    organization_name: str | None

    @property
    def grant(self) -> tuple[str, str]:
        """What a grant is bound to: the account and the organization (behavior 42)."""
        return self.account_id, self.organization_id


BILLING_SCOPE = "billing:manage"
"""The permission to spend and to change settings (docs/portal.md, section 3.1)."""

GRANT_LIFE = timedelta(days=30)
"""A grant ends this long after its approval; a refresh does not extend it (docs/portal.md, section 3.6)."""

ENDS_SOON = timedelta(days=3)
"""How long before the end people are reminded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A person's current grant, as screens need it: its account, its permission, and its end (UTC).

    `may_charge` is what the portal last said of the person; None if it was not asked.
    """

    account: Account
    may_bill: bool
    ends_at: datetime
    may_charge: bool | None = None

    def ends_soon(self, now: datetime) -> bool:
        """Tell whether the person should connect again now."""
        return now >= self.ends_at - ENDS_SOON


def has_scope(granted: str, wanted: str) -> bool:
    """Tell whether a space-separated scope contains `wanted` as a whole token (RFC 6749, 3.3)."""
    return wanted in granted.split()
