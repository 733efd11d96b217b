"""The installation by OAuth: the authorization code grant of RFC 6749 in Slack's v2 flow.

AuthorizationError
    the request is invalid; the page shows the code and does not redirect
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.directory import Enterprise, Team
from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.scopes import BOT_SCOPES
from bot.sandbox.slack.settings import Settings
from bot.sandbox.slack.web_api import OpenMethod
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

CODE_SECONDS = 10 * 60


class AuthorizationError(Exception):
    """Slack refuses the authorization request. `code` and `explanation` give the reason."""

    def __init__(self, code: str, explanation: str) -> None:
        super().__init__(code)
        self.code = code
        self.explanation = explanation


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """The parameters of an authorization request.

    Attributes:
        scopes: The scopes of the bot token.
        state: The value that the redirect returns to the app.
        redirect_uri: The URI to which the browser is redirected.
        names_redirect: Whether the request has a redirect URI. The exchange must then repeat it.
        team: The workspace that the app suggests.
    """

    scopes: frozenset[str]
    state: str
    redirect_uri: str
    names_redirect: bool
    team: str


@dataclass(kw_only=True)
class Grant:
    """An authorization code: the request, the place, the person and the time."""

    request: AuthorizationRequest
    place: Team | Enterprise
    user: str
    at: float
    used: bool = False


class AuthorizationServer:
    """Validate authorization requests, issue codes and exchange codes for tokens."""

    def __init__(self, installations: Installations, workspace: Workspace, settings: Settings) -> None:
        self._installations = installations
        self._workspace = workspace
        self._settings = settings
        self._grants: dict[str, Grant] = {}

    def methods(self) -> Mapping[str, OpenMethod]:
        """Return the Web API methods of the flow."""
        return {"oauth.v2.access": self._access}

    def places(self) -> list[Team | Enterprise]:
        """Return the workspaces, and for an org-ready app the organizations, that can install the app."""
        directory = self._workspace.directory
        found: list[Team | Enterprise] = list(directory.teams)
        if directory.app.org_ready:
            found += dict.fromkeys(team.enterprise for team in directory.teams if team.enterprise)
        return found

    def requested(self, params: Mapping[str, str]) -> AuthorizationRequest:
        """Parse and validate the query of an authorization request.

        Raises:
            AuthorizationError: the request is invalid.
        """
        if params.get("client_id") != self._settings.client_id:
            raise AuthorizationError("invalid_client_id", "No app has this client_id.")
        if params.get("user_scope"):
            raise AuthorizationError("invalid_scope", "This sandbox gives no tokens for people.")
        named = params.get("redirect_uri", "")
        return AuthorizationRequest(
            scopes=_scopes(params.get("scope", "")),
            state=params.get("state", ""),
            redirect_uri=self._redirect_uri(named),
            names_redirect=bool(named),
            team=params.get("team", ""),
        )

    def _redirect_uri(self, named: str) -> str:
        registered = self._settings.redirect_urls
        if not named and registered:
            return registered[0]
        if not any(_within(named, one) for one in registered):
            raise AuthorizationError("bad_redirect_uri", "The app did not register this redirect_uri.")
        return named

    def allow(self, request: AuthorizationRequest, place_id: str, user: str | None = None) -> str:
        """Issue a code for the bot token of a workspace or an organization.

        Args:
            request: The authorization request.
            place_id: The id of the workspace or organization.
            user: The person who allows the installation. None is the first person of the place.

        Raises:
            LookupError: the app cannot be installed there.
        """
        place = next((one for one in self.places() if one.id == place_id), None)
        if place is None:
            raise LookupError(f"the app cannot be installed in {place_id}")
        code = secrets.token_hex(20)
        self._grants[code] = Grant(
            request=request, place=place, user=user or self.installer(place), at=self._settings.now()
        )
        return code

    def installer(self, place: Team | Enterprise) -> str:
        """Return the id of the first person of a workspace or an organization."""
        directory = self._workspace.directory
        teams = (place,) if isinstance(place, Team) else directory.teams_of(place)
        ids = {team.id for team in teams}
        return next((person.id for person in directory.people if person.team_id in ids), "")

    def _access(self, _token: str | None, args: Json) -> Json:
        if args.get("client_id") != self._settings.client_id:
            raise RefusedError("invalid_client_id")
        if args.get("client_secret") != self._settings.client_secret:
            raise RefusedError("bad_client_secret")
        if args.get("grant_type") not in (None, "authorization_code"):
            raise RefusedError("invalid_grant_type")
        grant = self._valid_grant(args)
        grant.used = True
        return _access_answer(self._installations.install(grant.place, grant.request.scopes), grant.user)

    def _valid_grant(self, args: Json) -> Grant:
        grant = self._grants.get(str(args.get("code")))
        if grant is None or self._settings.now() - grant.at > CODE_SECONDS:
            raise RefusedError("invalid_code")
        if grant.used:
            raise RefusedError("code_already_used")
        named = args.get("redirect_uri")
        if (named or grant.request.names_redirect) and named != grant.request.redirect_uri:
            raise RefusedError("bad_redirect_uri")
        return grant


def _scopes(text: str) -> frozenset[str]:
    """Return the scopes of a string with commas or spaces as separators."""
    scopes = frozenset(text.replace(",", " ").split())
    if not scopes:
        raise AuthorizationError("invalid_scope", "The app asks for no scopes.")
    if unknown := sorted(scopes - BOT_SCOPES):
        raise AuthorizationError("invalid_scope", f"A bot cannot have: {', '.join(unknown)}.")
    return scopes


def _within(uri: str, registered: str) -> bool:
    """Return whether a redirect URI equals a registered URI or is below it."""
    return uri == registered or uri.startswith((f"{registered.rstrip('/')}/", f"{registered}?"))


def _access_answer(installation: Installation, user: str) -> Json:
    """Return the answer of `oauth.v2.access` for an installation."""
    team, enterprise = installation.team, installation.enterprise
    return {
        "app_id": installation.app_id,
        "authed_user": {"id": user},
        "scope": ",".join(sorted(installation.scopes)),
        "token_type": "bot",
        "access_token": installation.token,
        "bot_user_id": installation.bot_user_id,
        "team": {"id": team.id, "name": team.name} if team else None,
        "enterprise": {"id": enterprise.id, "name": enterprise.name} if enterprise else None,
        "is_enterprise_install": installation.is_enterprise_install,
    }
