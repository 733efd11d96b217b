"""Installing by OAuth 2.0 (Slack's v2 flow, RFC 6749, section 4.1): the routes and the storing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import structlog
from slack_bolt import BoltResponse
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bot.domain.audit import acting
from bot.domain.errors import StoreUnavailableError
from bot.domain.installation import Installation
from bot.rate_limit import RateLimiter
from bot.slack.errors import RateLimitedError, SlackUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.oauth.async_callback_options import AsyncFailureArgs, AsyncSuccessArgs
    from slack_sdk.oauth.installation_store import Installation as SlackInstallation
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.slack.client import SlackClient
    from bot.storage.installations import InstallationStore

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"
ORIGIN = "browser, installing"
"""The origin in the audit log."""

_IPV6_NETWORK = 64
_KNOWN_REASONS = {"access_denied", "invalid_browser", "invalid_state", "missing_code", "invalid_code"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallPages:
    """The pages of the flow, as HTML (`blocks.install_pages`)."""

    install: Callable[[str], str]
    installed: Callable[[str | None, str | None], str]
    not_installed: Callable[[str], str]
    unexpected: Callable[[str], str]


class IncompleteInstallationError(Exception):
    """Slack granted less than the app asked for: the install URL was changed."""


class TokenRotationError(Exception):
    """The Slack app has token rotation switched on, which this program does not support."""


def make_oauth_flow(
    *,
    client_id: str,
    client_secret: str,
    scopes: list[str],
    slack: SlackClient,
    store: InstallationStore,
    installed: Callable[[Installation], Awaitable[None]],
    pages: InstallPages,
) -> AsyncOAuthFlow:
    """Return Bolt's flow with our own stores; `installed` is called after each installation is stored."""
    callbacks = _Callbacks(pages)
    return _Flow(
        pages,
        client=slack,
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=client_secret,
            scopes=scopes,
            user_scopes=[],
            install_path=INSTALL_PATH,
            redirect_uri_path=REDIRECT_PATH,
            authorization_url=urljoin(slack.base_url, "/oauth/v2/authorize"),
            installation_store=_Installations(store, installed, scopes),
            state_store=_States(store),
            callback_options=AsyncCallbackOptions(success=callbacks.succeeded, failure=callbacks.failed),
        ),
    )


def install_routes(bolt: AsyncApp, store: InstallationStore, pages: InstallPages) -> list[Route]:
    """Return the two routes of the flow; an error there ends in a page with a link to start again.

    The pace is limited by address, and a return from Slack with a good state is never refused for it.
    """
    handler = AsyncSlackRequestHandler(bolt)

    pace = RateLimiter(burst=60, per_second=1)

    async def answer(request: Request) -> Response:
        if not pace.allows(_address(request)) and not await _is_return(request, store):
            return HTMLResponse(pages.not_installed("too_fast"), 429)
        try:
            return await handler.handle(request)
        except TokenRotationError:
            return HTMLResponse(pages.not_installed("token_rotation"), 409)
        except IncompleteInstallationError:
            return HTMLResponse(pages.not_installed("incomplete"), 400)
        except (SlackUnavailableError, RateLimitedError, StoreUnavailableError) as error:
            log.warning("install.not_reached", problem=type(error).__name__)
            return HTMLResponse(pages.not_installed("not_reached"), 503)
        except Exception as error:
            incident = secrets.token_hex(4)
            log.exception("install.failed", incident=incident, exc_info=error)
            return HTMLResponse(pages.unexpected(incident), 500)

    return [Route(path, answer, methods=["GET"]) for path in (INSTALL_PATH, REDIRECT_PATH)]


def _address(request: Request) -> str:
    """Return whom a pace is for: an address, or the whole network of one person's IPv6 addresses."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_NETWORK), strict=False))
    return host


async def _is_return(request: Request, store: InstallationStore) -> bool:
    """Tell whether this is a return from Slack for an installation that was begun here."""
    if request.url.path != REDIRECT_PATH:
        return False
    try:
        return await store.has_state(request.query_params.get("state", ""))
    except StoreUnavailableError:
        return False


class _Flow(AsyncOAuthFlow):
    def __init__(self, pages: InstallPages, **parts: Any) -> None:  # noqa: ANN401 - Bolt's own
        super().__init__(**parts)
        self._pages = pages

    async def build_install_page_html(self, url: str, request: object) -> str:  # noqa: ARG002 - Bolt's own
        return self._pages.install(url)


class _States(AsyncOAuthStateStore):
    def __init__(self, store: InstallationStore) -> None:
        self._store = store

    async def async_issue(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - slack-sdk's own
        return await self._store.issue_state()

    async def async_consume(self, state: str) -> bool:
        return await self._store.consume_state(state)


class _Installations(AsyncInstallationStore):
    """Bolt saves installations through this; reads use our own store directly."""

    def __init__(
        self,
        store: InstallationStore,
        installed: Callable[[Installation], Awaitable[None]],
        scopes: Collection[str],
    ) -> None:
        self._scopes = set(scopes)
        self._store = store
        self._installed = installed

    async def async_save(self, installation: SlackInstallation) -> None:
        if installation.bot_refresh_token is not None:
            raise TokenRotationError
        missing = self._scopes - set(installation.bot_scopes or [])
        if missing or not installation.bot_token or not installation.bot_user_id:
            raise IncompleteInstallationError
        stored = Installation(
            enterprise=installation.enterprise_id or "",
            team="" if installation.is_enterprise_install else installation.team_id or "",
            name=installation.team_name or installation.enterprise_name or "",
            bot_user=installation.bot_user_id or "",
            scopes=",".join(installation.bot_scopes or []),
            token=installation.bot_token or "",
            installed_by=installation.user_id,
            installed_at=datetime.fromtimestamp(installation.installed_at, UTC),
        )
        with acting(ORIGIN):
            await self._store.put(stored)
        try:
            await self._installed(stored)
        except StoreUnavailableError:
            log.warning("install.messages_not_looked_at", installation=stored.key)


class _Callbacks:
    """The pages at the end of the flow."""

    def __init__(self, pages: InstallPages) -> None:
        self._pages = pages

    async def succeeded(self, args: AsyncSuccessArgs) -> BoltResponse:
        installation = args.installation
        workspace = installation.team_name or installation.enterprise_name
        return _response(args, self._pages.installed(workspace, installation.app_id), 200)

    async def failed(self, args: AsyncFailureArgs) -> BoltResponse:
        # A person can open this address with any reason, so only known reasons have a text.
        reason = args.reason if args.reason in _KNOWN_REASONS else "other"
        log.info("install.failed", reason=reason)
        return _response(args, self._pages.not_installed(reason), args.suggested_status_code)


def _response(args: AsyncSuccessArgs | AsyncFailureArgs, page: str, status: int) -> BoltResponse:
    forget = args.settings.state_utils.build_set_cookie_for_deletion()
    headers: dict[str, str | Sequence[str]] = {
        "Content-Type": "text/html; charset=utf-8",
        "Set-Cookie": forget,
    }
    return BoltResponse(status=status, body=page, headers=headers)
