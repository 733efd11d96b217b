"""The composition root: what runs in one process, how it starts, and in which order it stops."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.middleware import Middleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from blocks import install_pages
from bot.background import loops, running, seal_audit
from bot.domain.audit import acting
from bot.engine import Engine
from bot.health import HealthCheck
from bot.runtime import open_runtime
from bot.slack.errors import SlackError
from bot.slack.http import SecurityHeaders, events_route
from bot.slack.installing import InstallPages, install_routes, make_oauth_flow
from bot.slack.pictures import pictures_route
from bot.slack.socket_mode import SocketMode
from bot.startup import StartError, prepare_database, recognize_later, recognize_workspace
from bot.timing import GRACE_SECONDS
from handlers.jobs.kinds import kinds
from handlers.manifest import bot_scopes
from handlers.register import register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
    from starlette.routing import Route

    from bot.runtime import Runtime
    from bot.settings import Settings
    from bot.system_clock import SystemClock

PAGES = InstallPages(
    install=install_pages.install_page,
    installed=install_pages.installed_page,
    not_installed=install_pages.not_installed_page,
    unexpected=install_pages.unexpected_page,
)

log = structlog.get_logger(__name__)


class Listener(Enum):
    """How Slack's requests reach this process."""

    HTTP = "http"
    SOCKET = "socket"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingApp:
    """A running app: its parts, and the ASGI app to serve."""

    runtime: Runtime
    engine: Engine
    bolt: AsyncApp
    asgi: Starlette


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    listener: Listener = Listener.HTTP,
    worker: bool = True,
    clock: SystemClock | None = None,
) -> AsyncIterator[BillingApp]:
    """Build and start everything except the HTTP server. On exit, stop the work first and connections last.

    It waits up to a minute for a missing database, and without limit for a missing Slack.

    Raises:
        StartError: the database or Slack does not allow the start.
    """
    engines: list[Engine] = []

    def wake(*names: str) -> None:
        for each in engines:
            each.wake(*names)

    async with open_runtime(settings, wake=wake, works=worker, clock=clock) as runtime:
        table = kinds(runtime)
        await prepare_database(runtime, table)
        engine = Engine(table, runtime.clock, runtime.metrics)
        bolt = _bolt(runtime)
        register(bolt, runtime)
        sockets = _socket_mode(runtime, bolt) if listener is Listener.SOCKET else None
        health = HealthCheck(runtime, engine if worker else None, sockets)
        asgi = Starlette(
            routes=[*_slack_routes(runtime, bolt, listener), pictures_route(), *health.routes()],
            middleware=[
                Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies)),
                Middleware(SecurityHeaders),
            ],
        )
        beside = loops(runtime, worker=worker)
        if not await recognize_workspace(runtime):
            beside.append(recognize_later(runtime))
        if worker:
            engines.append(engine)
            beside.append(runtime.database.listen(partial(wake, *(kind.name for kind in table))))
        with acting("worker"):
            working = asyncio.create_task(engine.run(), name="engine") if worker else None
        async with running(beside):
            try:
                if sockets is not None:
                    await _open_socket(sockets)
                yield BillingApp(runtime=runtime, engine=engine, bolt=bolt, asgi=asgi)
            finally:
                await _stop(runtime, engine, working, sockets)


async def _stop(
    runtime: Runtime, engine: Engine, working: asyncio.Task[None] | None, sockets: SocketMode | None
) -> None:
    """Accept no new requests, finish the open ones, and let the work reach a safe point."""
    if sockets is not None:
        sockets.take_no_more()
    await runtime.open_requests.finish(GRACE_SECONDS)
    if sockets is not None:
        await sockets.aclose()
    await engine.stop(GRACE_SECONDS)
    log.info("app.stopping")
    if working is not None:
        await working
        with contextlib.suppress(Exception):  # the next start seals the rest
            await seal_audit(runtime)


class _Anybody(AsyncAuthorize):
    """Accepts every request: each listener checks our own records (`handlers.admission`)."""

    async def __call__(self, **_who: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None)


def _bolt(runtime: Runtime) -> AsyncApp:
    return AsyncApp(
        # Without a name, Bolt reads the source of every caller to find one.
        name="billing-bot",
        client=runtime.slack,
        authorize=_Anybody(),  # type: ignore[no-untyped-call]
        oauth_flow=_oauth_flow(runtime),
        # The HTTP endpoint has already verified the signature; Socket Mode requests have none.
        request_verification_enabled=False,
        # Listeners end by acknowledging. Without this, Bolt polls for that every ten milliseconds.
        process_before_response=True,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        raise_error_for_unhandled_request=True,
    )


def _oauth_flow(runtime: Runtime) -> AsyncOAuthFlow | None:
    settings = runtime.settings
    if settings.slack_client_id is None or settings.slack_client_secret is None:
        return None
    return make_oauth_flow(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        scopes=bot_scopes(match_email=settings.match_email),
        slack=runtime.slack,
        store=runtime.installations,
        installed=runtime.lifecycle.installed,
        pages=PAGES,
    )


def _slack_routes(runtime: Runtime, bolt: AsyncApp, listener: Listener) -> list[Route]:
    """Return Slack's HTTP routes: the installation pages, and requests unless Socket Mode delivers them."""
    routes: list[Route] = []
    if bolt.oauth_flow is not None and listener is not Listener.NONE:
        routes += install_routes(bolt, runtime.installations, PAGES)
    secret = runtime.settings.slack_signing_secret
    if listener is Listener.HTTP:
        if secret is None:
            raise StartError("SLACK_SIGNING_SECRET: missing; it proves that requests come from Slack")
        routes.append(events_route(bolt, SignatureVerifier(secret.get_secret_value()), runtime.metrics))
    return routes


def _socket_mode(runtime: Runtime, bolt: AsyncApp) -> SocketMode:
    token = runtime.settings.slack_app_token
    if token is None:
        raise StartError("SLACK_APP_TOKEN: missing; the app-level token for --socket-mode, xapp-…")
    return SocketMode(bolt, token.get_secret_value(), runtime.slack)


async def _open_socket(sockets: SocketMode) -> None:
    try:
        await sockets.open()
    except SlackError as error:
        raise StartError(f"SLACK_APP_TOKEN: Slack does not accept it ({error.code})") from None
