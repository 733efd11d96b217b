"""Where the app is installed: a workspace, or a whole Enterprise Grid organization."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Through which installation a request came, by the ids it names; empty where it names none.

    `private`: it came from where nobody else is, so that who sends it was let in before.
    """

    enterprise: str
    team: str
    private: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """One installation, with the bot token that acts in it. `team` is empty for an org-wide one.

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
        """The one stored form, e.g. `:T0ACME`, `E0GRID:T0EAST` or, org-wide, `E0GRID:`."""
        return f"{self.enterprise}:{self.team}"

    def named_by(self, place: Place) -> bool:
        """Tell whether an event about an installation is about this one."""
        if not self.team:
            return self.enterprise in (place.enterprise, place.team)
        return place.team == self.team

    @property
    def installer(self) -> str:
        """Who installed it, as a person's key."""
        return f"{self.enterprise or self.team}:{self.installed_by}"

    def member(self, identity: Identity, place: Place) -> Identity | None:
        """Return the identity as it is known here; None for somebody who does not belong here.

        On a grid, the enterprise's id may stand for the team's, and some payloads leave it out. Through an
        org-wide installation the request names the person's own workspace. Where it names none, a shared
        channel may have outsiders, and only what one person alone can see is believed.
        """
        at_home = {self.team, self.enterprise}
        if not self.team and place.enterprise == self.enterprise:
            at_home.add(place.team or (identity.team if place.private else ""))
        if identity.team not in at_home - {""} or identity.user in {"", self.bot_user}:
            return None
        return replace(identity, enterprise=self.enterprise, team=self.team or identity.team)
