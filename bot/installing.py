"""Installing by OAuth 2.0 (Slack's v2 flow, RFC 6749 section 4.1): the pages, and what they store."""

from __future__ import annotations

import html
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

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
from bot.pace import Pace
from bot.slack import AWAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.oauth.async_callback_options import AsyncFailureArgs, AsyncSuccessArgs
    from slack_sdk.oauth.installation_store import Installation as SlackInstallation
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.slack import SlackClient
    from bot.storage.installations import InstallationStore

INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"

_AGAIN = f'<p><a class="button" href="{INSTALL_PATH}">Start again</a></p>'
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
a.button {{ display: inline-block; padding: .6rem 1.1rem; border-radius: .4rem; background: #1f4e5f;
  color: #fff; text-decoration: none; font-weight: 600 }}
@media (prefers-color-scheme: dark) {{ a.button {{ background: #2f7d95 }} }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"""

_FAILURES = {
    "access_denied": "Nothing was installed: it was cancelled in Slack.",
    "invalid_browser": (
        "This page was opened before, or it was begun in another browser. "
        "If <code>/billing</code> answers in Slack, it is installed."
    ),
    "invalid_state": (
        "This was begun more than ten minutes ago, or was finished already. "
        "If <code>/billing</code> answers in Slack, it is installed."
    ),
    "missing_code": "Slack's answer was not complete.",
    "invalid_code": "Slack did not accept the answer it gave before.",
    "too_fast": "This page is asked for too often just now. Try again in a minute.",
    "token_rotation": (
        "Token rotation is switched on for this Slack app, which this program does not use. "
        "Create the Slack app anew from its manifest, and leave token rotation off."
    ),
    "incomplete": "Slack did not grant what this app asks for. Nothing was changed.",
    "not_reached": "Slack or this app's own records could not be reached. Nothing was installed.",
}

_SAID_BY_BOLT = {"access_denied", "invalid_browser", "invalid_state", "missing_code", "invalid_code"}

_UNEXPECTED = (
    "<p>Something went wrong on our side. Whoever runs this app can look it up: <strong>{}</strong></p>"
)

log = structlog.get_logger(__name__)


class IncompleteInstallationError(Exception):
    """What Slack granted is not what was asked for: somebody changed the address on the way."""


class TokenRotationError(Exception):
    """The Slack app gives out tokens that expire; see `_FAILURES`."""


def make_oauth_flow(
    *,
    client_id: str,
    client_secret: str,
    scopes: list[str],
    slack: SlackClient,
    store: InstallationStore,
    installed: Callable[[Installation], Awaitable[None]],
) -> AsyncOAuthFlow:
    """Return Bolt's flow on our own records; `installed` hears of each installation once it is stored."""
    return _Flow(
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
            callback_options=AsyncCallbackOptions(success=_succeeded, failure=_failed),
        ),
    )


def install_routes(bolt: AsyncApp) -> list[Route]:
    """Return the two routes of the flow; what goes wrong there ends in a page with the way back."""
    handler = AsyncSlackRequestHandler(bolt)

    pace = Pace(burst=60, per_second=1)

    async def answer(request: Request) -> Response:
        if not pace.allows("everybody"):
            return HTMLResponse(_failure_page("too_fast"), 429)
        try:
            return await handler.handle(request)
        except TokenRotationError:
            return HTMLResponse(_failure_page("token_rotation"), 409)
        except IncompleteInstallationError:
            return HTMLResponse(_failure_page("incomplete"), 400)
        except (*AWAY, StoreUnavailableError) as error:
            log.warning("install.not_reached", problem=type(error).__name__)
            return HTMLResponse(_failure_page("not_reached"), 503)
        except Exception as error:
            incident = secrets.token_hex(4)
            log.exception("install.failed", incident=incident, exc_info=error)
            return HTMLResponse(_page("Not installed", _UNEXPECTED.format(incident) + _AGAIN), 500)

    return [Route(path, answer, methods=["GET"]) for path in (INSTALL_PATH, REDIRECT_PATH)]


class _Flow(AsyncOAuthFlow):
    async def build_install_page_html(self, url: str, request: object) -> str:  # noqa: ARG002 - Bolt's own
        words = (
            "<p>People type <code>/billing</code> to see and top up your organization's prepaid balance at "
            "Nous Portal. Each acts with their own portal account; this app never sees a card.</p>"
        )
        link = f'<p><a class="button" href="{html.escape(url)}">Add to Slack</a></p>'
        return _page("Billing for Slack", words + link)


class _States(AsyncOAuthStateStore):
    def __init__(self, store: InstallationStore) -> None:
        self._store = store

    async def async_issue(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - slack-sdk's own
        return await self._store.issue_state()

    async def async_consume(self, state: str) -> bool:
        return await self._store.consume_state(state)


class _Installations(AsyncInstallationStore):
    """Bolt saves through this; who asks for an installation asks our own store."""

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
        with acting("browser, installing"):
            await self._store.put(stored)
        try:
            await self._installed(stored)
        except StoreUnavailableError:
            log.warning("install.messages_not_looked_at", installation=stored.key)


async def _succeeded(args: AsyncSuccessArgs) -> BoltResponse:
    where = html.escape(
        args.installation.team_name or args.installation.enterprise_name or "your workspace"
    )
    words = f"<p>Billing is installed in <strong>{where}</strong>. Go back to Slack and type "
    target = f"https://slack.com/app_redirect?app={quote(args.installation.app_id or '')}"
    back = f'<p><a class="button" href="{target}">Open it in Slack</a></p>'
    return _response(args, _page("Installed", f"{words}<code>/billing</code>.</p>{back}"), 200)


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    # What Slack's address says may be anybody's words; only the known ones have a text.
    reason = args.reason if args.reason in _SAID_BY_BOLT else "other"
    log.info("install.failed", reason=reason)
    return _response(args, _failure_page(reason), args.suggested_status_code)


def _response(args: AsyncSuccessArgs | AsyncFailureArgs, page: str, status: int) -> BoltResponse:
    forget = args.settings.state_utils.build_set_cookie_for_deletion()
    headers: dict[str, str | Sequence[str]] = {
        "Content-Type": "text/html; charset=utf-8",
        "Set-Cookie": forget,
    }
    return BoltResponse(status=status, body=page, headers=headers)


def _failure_page(reason: str) -> str:
    words = _FAILURES.get(reason, "Slack ended this without saying why.")
    return _page("Nothing was installed", f"<p>{words}</p>{_AGAIN}")


def _page(title: str, body: str) -> str:
    return _PAGE.format(title=title, body=body)
