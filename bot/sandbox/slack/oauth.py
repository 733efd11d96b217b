"""Installing the app by OAuth: the authorization code grant of RFC 6749, as Slack's v2 flow has it.

AuthorizationError
    what the app asks for is wrong; the person sees the code, the app is not told
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.installations import Installation, Installations
from bot.sandbox.slack.messages import RefusedError
from bot.sandbox.slack.people import Enterprise, Team
from bot.sandbox.slack.scopes import BOT_SCOPES
from bot.sandbox.slack.web_api import OpenMethod
from bot.sandbox.slack.wiring import Wiring
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]

CODE_SECONDS = 10 * 60


class AuthorizationError(Exception):
    """Slack refuses what the app asks for; `code` and `explanation` say why."""

    def __init__(self, code: str, explanation: str) -> None:
        super().__init__(code)
        self.code = code
        self.explanation = explanation


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """What the app asks for when it sends a browser here.

    Attributes:
        scopes: For the bot token.
        state: Echoed to the app.
        redirect_uri: Where the browser goes back to.
        names_redirect: Whether the app named it; it must then name it again.
        team: The workspace that the app suggests.
    """

    scopes: frozenset[str]
    state: str
    redirect_uri: str
    names_redirect: bool
    team: str


@dataclass(kw_only=True)
class Grant:
    """A code: who allowed what, where and when."""

    request: AuthorizationRequest
    place: Team | Enterprise
    user: str
    at: float
    used: bool = False


class AuthorizationServer:
    """Judges authorization requests, gives out codes and exchanges them for tokens."""

    def __init__(self, installations: Installations, workspace: Workspace, wiring: Wiring) -> None:
        self._installations = installations
        self._workspace = workspace
        self._wiring = wiring
        self._grants: dict[str, Grant] = {}

    def methods(self) -> Mapping[str, OpenMethod]:
        """The Web API's side of the flow."""
        return {"oauth.v2.access": self._access}

    def places(self) -> list[Team | Enterprise]:
        """Where the app can be installed: workspaces, and organisations if it is ready for them."""
        cast = self._workspace.cast
        found: list[Team | Enterprise] = list(cast.teams)
        if cast.app.org_ready:
            found += dict.fromkeys(team.enterprise for team in cast.teams if team.enterprise)
        return found

    def requested(self, params: Mapping[str, str]) -> AuthorizationRequest:
        """What the query of an authorization request asks for.

        Raises:
            AuthorizationError: as Slack's page would tell.
        """
        if params.get("client_id") != self._wiring.client_id:
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
        registered = self._wiring.redirect_urls
        if not named and registered:
            return registered[0]
        if not any(_within(named, one) for one in registered):
            raise AuthorizationError("bad_redirect_uri", "The app did not register this redirect_uri.")
        return named

    def allow(self, request: AuthorizationRequest, place_id: str, user: str | None = None) -> str:
        """Gives out a code for the bot token of a workspace or an organisation.

        Args:
            request: What the app asked for.
            place_id: Where it is installed.
            user: Who allows it; None is the first person there.

        Raises:
            LookupError: the app cannot be installed there.
        """
        place = next((one for one in self.places() if one.id == place_id), None)
        if place is None:
            raise LookupError(f"the app cannot be installed in {place_id}")
        code = secrets.token_hex(20)
        self._grants[code] = Grant(
            request=request, place=place, user=user or self.installer(place), at=self._wiring.now()
        )
        return code

    def installer(self, place: Team | Enterprise) -> str:
        """The id of the first person of a workspace or an organisation."""
        cast = self._workspace.cast
        teams = (place,) if isinstance(place, Team) else cast.teams_of(place)
        ids = {team.id for team in teams}
        return next((person.id for person in cast.people if person.team_id in ids), "")

    def _access(self, _token: str | None, args: Json) -> Json:
        if args.get("client_id") != self._wiring.client_id:
            raise RefusedError("invalid_client_id")
        if args.get("client_secret") != self._wiring.client_secret:
            raise RefusedError("bad_client_secret")
        if args.get("grant_type") not in (None, "authorization_code"):
            raise RefusedError("invalid_grant_type")
        grant = self._redeemable(args)
        grant.used = True
        return _told(self._installations.install(grant.place, grant.request.scopes), grant.user)

    def _redeemable(self, args: Json) -> Grant:
        grant = self._grants.get(str(args.get("code")))
        if grant is None or self._wiring.now() - grant.at > CODE_SECONDS:
            raise RefusedError("invalid_code")
        if grant.used:
            raise RefusedError("code_already_used")
        named = args.get("redirect_uri")
        if (named or grant.request.names_redirect) and named != grant.request.redirect_uri:
            raise RefusedError("bad_redirect_uri")
        return grant


def _scopes(text: str) -> frozenset[str]:
    """The scopes of a list with commas or spaces between them."""
    scopes = frozenset(text.replace(",", " ").split())
    if not scopes:
        raise AuthorizationError("invalid_scope", "The app asks for no scopes.")
    if unknown := sorted(scopes - BOT_SCOPES):
        raise AuthorizationError("invalid_scope", f"A bot cannot have: {', '.join(unknown)}.")
    return scopes


def _within(uri: str, registered: str) -> bool:
    """Whether a redirect URI is a registered one, or lies below it."""
    return uri == registered or uri.startswith((f"{registered.rstrip('/')}/", f"{registered}?"))


def _told(installation: Installation, user: str) -> Json:
    """An installation as `oauth.v2.access` answers it."""
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
