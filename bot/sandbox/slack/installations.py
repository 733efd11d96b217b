"""The installations of the app in workspaces and organizations, each with its own bot token."""

import secrets
from dataclasses import dataclass, replace
from typing import Any

from bot.sandbox.slack.directory import Directory, Enterprise, Team
from bot.sandbox.slack.messages import RefusedError

Json = dict[str, Any]

UNINSTALLED = "account_inactive"
REVOKED = "token_revoked"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The installation in one workspace, or in all workspaces of an organization.

    Attributes:
        app_id: The app.
        enterprise: The organization, or None outside Enterprise Grid.
        team: The workspace, or None for an org-wide installation.
        team_ids: The workspaces that the token can access.
        token: The bot token.
        scopes: The granted scopes.
        bot_user_id: The id of the bot user in this installation.
        bot_id: The id of the bot in this installation.
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
        """Return the workspace, or the organization of an org-wide installation."""
        place = self.team or self.enterprise
        if place is None:
            raise ValueError("an installation is in a workspace or in an organization")
        return place

    @property
    def id(self) -> str:
        """Return the id of the workspace, or of the organization."""
        return self.place.id

    @property
    def is_enterprise_install(self) -> bool:
        """Return whether the installation is org-wide."""
        return self.team is None

    def message(self, content: Json, thread_ts: str | None = None) -> Json:
        """Return a message of this bot user with the content."""
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
    """The active installations, and the tokens that are no longer valid."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._active: dict[str, Installation] = {}
        self._revoked: dict[str, str] = {}

    @property
    def active(self) -> tuple[Installation, ...]:
        """Return the active installations, oldest first."""
        return tuple(self._active.values())

    def get(self, place_id: str) -> Installation | None:
        """Return the installation in this workspace or organization, or None."""
        return self._active.get(place_id)

    def require(self, place_id: str) -> Installation:
        """Return the installation in this workspace or organization.

        Raises:
            LookupError: the app is not installed there.
        """
        found = self._active.get(place_id)
        if found is None:
            raise LookupError(f"the app is not installed in {place_id}")
        return found

    def of_team(self, team_id: str) -> Installation | None:
        """Return the installation for a workspace. Its own installation precedes an org-wide one."""
        own = self._active.get(team_id)
        return own or next((one for one in self.active if team_id in one.team_ids), None)

    def of_bot(self, bot_id: object) -> Installation | None:
        """Return the installation with this bot, or None."""
        return next((one for one in self.active if one.bot_id == bot_id), None)

    def of_token(self, token: str) -> Installation:
        """Return the installation of a token.

        Raises:
            RefusedError: `account_inactive` or `token_revoked` for a former token, `invalid_auth`
                for an unknown token.
        """
        if token in self._revoked:
            raise RefusedError(self._revoked[token])
        found = next((one for one in self.active if one.token == token), None)
        if found is None:
            raise RefusedError("invalid_auth")
        return found

    def install(
        self, place: Team | Enterprise, scopes: frozenset[str], token: str | None = None
    ) -> Installation:
        """Install or reinstall the app.

        A reinstallation with the same scopes keeps the token. Other scopes revoke the old token and
        create a new one.

        Args:
            place: The workspace, or the organization for an org-wide installation.
            scopes: The granted scopes.
            token: The token to use. None creates one.
        """
        before = self._active.get(place.id)
        if before is not None and before.scopes == scopes and before.token not in self._revoked:
            return before
        if before is not None:
            self._revoked.setdefault(before.token, REVOKED)
        made = self._made(place, scopes, token or f"xoxb-{secrets.token_hex(16)}")
        self._active[place.id] = made
        return made

    def hypothetical(self, team: Team) -> Installation:
        """Return an installation for a workspace without installing the app."""
        return self._made(team, self._directory.app.scopes, "")

    def _made(self, place: Team | Enterprise, scopes: frozenset[str], token: str) -> Installation:
        app, team = self._directory.app, place if isinstance(place, Team) else None
        enterprise = place.enterprise if isinstance(place, Team) else place
        reached = (place,) if isinstance(place, Team) else self._directory.teams_of(place)
        # A bot has different ids in each workspace. In the home team it has the ids of the directory.
        tail = "" if place.id == self._directory.home_team.id else place.id[2:]
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
        """Uninstall the app from a workspace or organization and invalidate its token."""
        del self._active[installation.id]
        self._revoked.setdefault(installation.token, UNINSTALLED)

    def revoke(self, installation: Installation) -> None:
        """Revoke the token and leave the app installed."""
        self._revoked[installation.token] = REVOKED

    def remove_team(self, installation: Installation, team_id: str) -> None:
        """Remove one workspace from an org-wide installation."""
        left = installation.team_ids - {team_id}
        self._active[installation.id] = replace(installation, team_ids=left)
