"""Where the app is installed: in workspaces and organisations, each with a bot token of its own."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.people import Cast, Enterprise, Team

Json = dict[str, Any]

UNINSTALLED = "account_inactive"
REVOKED = "token_revoked"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The app in one workspace, or in all workspaces of an organisation.

    Attributes:
        app_id: The app.
        enterprise: The organisation, also of a single workspace on Enterprise Grid.
        team: The workspace; None for an org-wide installation.
        team_ids: The workspaces that the token reaches.
        token: The bot token.
        scopes: What was granted.
        bot_user_id: The bot user's id there.
        bot_id: The bot's id there.
    """

    app_id: str
    enterprise: Enterprise | None
    team: Team | None
    team_ids: frozenset[str]
    token: str
    scopes: frozenset[str]
    bot_user_id: str
    bot_id: str

    @property
    def place(self) -> Team | Enterprise:
        """The workspace, or the organisation of an org-wide installation."""
        place = self.team or self.enterprise
        if place is None:
            raise ValueError("an installation is in a workspace or in an organisation")
        return place

    @property
    def id(self) -> str:
        """The id of the workspace, or of the organisation."""
        return self.place.id

    @property
    def is_enterprise_install(self) -> bool:
        """Whether it is org-wide."""
        return self.team is None

    def message(self, content: Json, thread_ts: str | None = None) -> Json:
        """The content as a message of this bot user."""
        message = {
            "user": self.bot_user_id,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "team": self.id,
            "text": "",
            **content,
        }
        if thread_ts:
            message["thread_ts"] = thread_ts
        return message


class Installations:
    """The installations there are, and the tokens of those that were."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._live: dict[str, Installation] = {}
        self._dead: dict[str, str] = {}

    @property
    def live(self) -> tuple[Installation, ...]:
        """The installations, the oldest first."""
        return tuple(self._live.values())

    def get(self, place_id: str) -> Installation | None:
        """The installation in this workspace or organisation, or None."""
        return self._live.get(place_id)

    def named(self, place_id: str) -> Installation:
        """The installation in this workspace or organisation.

        Raises:
            LookupError: the app is not installed there.
        """
        found = self._live.get(place_id)
        if found is None:
            raise LookupError(f"the app is not installed in {place_id}")
        return found

    def of_team(self, team_id: str) -> Installation | None:
        """The installation that reaches a workspace, its own before an org-wide one."""
        own = self._live.get(team_id)
        return own or next((one for one in self.live if team_id in one.team_ids), None)

    def of_bot(self, bot_id: object) -> Installation | None:
        """The installation whose bot this is, or None."""
        return next((one for one in self.live if one.bot_id == bot_id), None)

    def of_token(self, token: str) -> Installation:
        """The installation that a token stands for.

        Raises:
            RefusedError: `account_inactive` or `token_revoked` for a token of the past,
                `invalid_auth` for one that never was.
        """
        if token in self._dead:
            raise RefusedError(self._dead[token])
        found = next((one for one in self.live if one.token == token), None)
        if found is None:
            raise RefusedError("invalid_auth")
        return found

    def install(
        self, place: Team | Enterprise, scopes: frozenset[str], token: str | None = None
    ) -> Installation:
        """Installs the app, or installs it again.

        The same scopes keep their token; other scopes get a new one, and the old one is revoked.

        Args:
            place: The workspace, or the organisation for an org-wide installation.
            scopes: What is granted.
            token: The token to use; None makes one up.
        """
        before = self._live.get(place.id)
        if before is not None and before.scopes == scopes and before.token not in self._dead:
            return before
        if before is not None:
            self._dead.setdefault(before.token, REVOKED)
        made = self._made(place, scopes, token or f"xoxb-{secrets.token_hex(16)}")
        self._live[place.id] = made
        return made

    def imagined(self, team: Team) -> Installation:
        """What an installation in a workspace would be; nothing is installed."""
        return self._made(team, self._cast.app.scopes, "")

    def _made(self, place: Team | Enterprise, scopes: frozenset[str], token: str) -> Installation:
        app, team = self._cast.app, place if isinstance(place, Team) else None
        enterprise = place.enterprise if isinstance(place, Team) else place
        reached = (place,) if isinstance(place, Team) else self._cast.teams_of(place)
        # A bot has other ids in every workspace; at home they are the ones that the cast names.
        tail = "" if place.id == self._cast.home_team.id else place.id[2:]
        return Installation(
            app_id=app.id,
            enterprise=enterprise,
            team=team,
            team_ids=frozenset(one.id for one in reached),
            token=token,
            scopes=scopes,
            bot_user_id=f"{app.bot_user_id}{tail}",
            bot_id=f"{app.bot_id}{tail}",
        )

    def uninstall(self, installation: Installation) -> None:
        """Takes the app out of a workspace or organisation; its token is dead."""
        del self._live[installation.id]
        self._dead.setdefault(installation.token, UNINSTALLED)

    def revoke(self, installation: Installation) -> None:
        """Revokes the token and leaves the app where it is."""
        self._dead[installation.token] = REVOKED

    def take_away(self, installation: Installation, team_id: str) -> None:
        """Takes one workspace out of an org-wide installation."""
        left = installation.team_ids - {team_id}
        self._live[installation.id] = replace(installation, team_ids=left)
