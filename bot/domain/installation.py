"""Where the app is installed: a workspace, or a whole Enterprise Grid organization."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The ids by which a request names its installation; empty where it names none.

    `private`: only the sender sees the place that the request came from. Slack let the sender in there.
    """

    enterprise: str
    team: str
    private: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """One installation, with its bot token. `team` is empty for an org-wide one.

    `enterprise` is empty outside Enterprise Grid. `installed_at` is in UTC.
    """

    enterprise: str
    team: str
    name: str
    bot_user: str
    scopes: str
    token: str = field(repr=False)
    installed_by: str
    installed_at: datetime

    @property
    def key(self) -> str:
        """The stored form, e.g. `:T0ACME`, `E0GRID:T0EAST` or, org-wide, `E0GRID:`."""
        return f"{self.enterprise}:{self.team}"

    def named_by(self, place: Place) -> bool:
        """Tell whether an installation event with these ids is about this installation."""
        if not self.team:
            return self.enterprise in (place.enterprise, place.team)
        return place.team == self.team

    @property
    def installer(self) -> str:
        """The key of the person who installed it."""
        return f"{self.enterprise or self.team}:{self.installed_by}"

    def member(self, identity: Identity, place: Place) -> Identity | None:
        """Return the identity as it is stored for this installation; None for an outsider.

        On a grid, the enterprise's id may replace the team's, and some payloads leave it out. For an
        org-wide installation, the request names the person's own workspace. If it names none, the request
        is accepted only from a private place, because a shared channel may have outsiders.
        """
        at_home = {self.team, self.enterprise}
        if not self.team and place.enterprise == self.enterprise:
            at_home.add(place.team or (identity.team if place.private else ""))
        if identity.team not in at_home - {""} or identity.user in {"", self.bot_user}:
            return None
        return replace(identity, enterprise=self.enterprise, team=self.team or identity.team)
