"""The composition root: what runs in one process, how it starts, and in which order it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
import uvicorn
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from bot.domain.audit import acting
from bot.domain.charge import UNFINISHED
from bot.domain.errors import PortalUnavailableError, StoreUnavailableError
from bot.engine import Engine, Kind
from bot.http import Health, events_route, make_asgi
from bot.installing import install_routes, make_oauth_flow
from bot.runtime import open_runtime
from bot.slack import AWAY, NOT_NOW
from bot.socket_mode import SocketMode
from bot.storage.database import is_refused
from bot.storage.notices import listen
from bot.storage.schema import is_current, migrate
from handlers.jobs.charge import advance_charge
from handlers.jobs.device_grant import advance_device_grant
from handlers.jobs.message import advance_message
from handlers.manifest import BOT_SCOPES
from handlers.register import register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator
    from typing import Any

    from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
    from starlette.applications import Starlette
    from starlette.routing import Route

    from bot.runtime import Runtime, SystemClock
    from bot.settings import Settings

GRACE_SECONDS = 2
"""For each of three steps of the stop: HTTP, the requests being answered, the work. Below 10 in all."""

PING_SECONDS = 2
BEAT_SECONDS = 30
DATABASE_PATIENCE_SECONDS = 60
AGAIN_SECONDS = 1.0
AGAIN_CAP_SECONDS = 15.0
GARBAGE_THRESHOLD = 20_000
CLOCK_EVERY_SECONDS = 600
SEAL_EVERY_SECONDS = 2.0
FORGET_EVERY_SECONDS = 3600.0
CLOCK_TOLERANCE = timedelta(seconds=2)
JOBS = {"charge": advance_charge, "message": advance_message, "device_grant": advance_device_grant}
OUTAGES = (*AWAY, StoreUnavailableError, PortalUnavailableError)

log = structlog.get_logger(__name__)


class Listener(Enum):
    """How Slack's requests reach this process."""

    HTTP = "http"
    SOCKET = "socket"
    NONE = "none"


class StartError(Exception):
    """The app cannot start; the text is a whole line for the operator.

    `for_now`: not because of a setting, so that starting again later may do.
    """

    def __init__(self, words: str, *, for_now: bool = False) -> None:
        super().__init__(words)
        self.for_now = for_now


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
    """Build and start everything but the HTTP server. On leaving: the work stops first, connections last.

    A database that is away is waited for a minute; Slack, that is away, as long as it takes.

    Raises:
        StartError: the database or Slack does not allow it.
    """
    engines: list[Engine] = []

    def wake(*kinds: str) -> None:
        for engine in engines:
            engine.wake(*kinds)

    async with open_runtime(settings, wake=wake, works=worker, clock=clock) as runtime:
        await _prepare_database(runtime)
        engine = _engine(runtime)
        bolt = _bolt(runtime)
        register(bolt, runtime)
        sockets = _socket_mode(runtime, bolt) if listener is Listener.SOCKET else None
        asgi = make_asgi(
            runtime.metrics,
            partial(_health, runtime, engine, sockets, worker=worker),
            partial(_look_at_ledger, runtime),
            _slack_routes(runtime, bolt, listener),
        )
        beside: list[Coroutine[Any, Any, None]] = [_follow_clock(runtime)]
        if not await _recognise_workspace(runtime):
            beside.append(_recognise_later(runtime))
        if worker:
            engines.append(engine)
            beside += [
                listen(runtime.database, partial(wake, *JOBS)),
                _seal_audit(runtime),
                _forget(runtime),
            ]
        with acting("worker"):
            running = asyncio.create_task(engine.run(), name="engine") if worker else None
        async with _running(beside):
            try:
                if sockets is not None:
                    await _open_socket(sockets)
                yield BillingApp(runtime=runtime, engine=engine, bolt=bolt, asgi=asgi)
            finally:
                if sockets is not None:
                    sockets.take_no_more()
                await runtime.calls.finish(GRACE_SECONDS)
                if sockets is not None:
                    await sockets.aclose()
                await engine.stop(GRACE_SECONDS)
                if running is not None:
                    await running
                log.info("app.stopping")
                if worker:
                    with contextlib.suppress(Exception):  # the next start seals what is left
                        await _seal_all(runtime)


def settle_memory() -> None:
    """Spare the garbage collector what lives as long as the process: call once, when it has started.

    Thousands of requests that wait for their answers look long-lived to it. With Python's own threshold it
    went through all there is every few seconds, and everybody waited a sixth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


async def serve(
    settings: Settings, stop: asyncio.Event, *, worker: bool = True, socket_mode: bool = False
) -> None:
    """Serve HTTP and work until `stop` is set; with `socket_mode`, Slack's requests come over a WebSocket.

    Raises:
        StartError: the address is taken, or as `open_app`.
    """
    listener = Listener.SOCKET if socket_mode else Listener.HTTP
    with _listen(settings) as address:
        async with open_app(settings, listener=listener, worker=worker) as app:
            settle_memory()
            await _serve_http(app.asgi, address, stop)


async def work(settings: Settings, stop: asyncio.Event, *, http: bool = False) -> None:
    """Work until `stop` is set; with `http`, health and meters are served, and nothing of Slack's.

    Raises:
        StartError: the address is taken, or as `open_app`.
    """
    async with open_app(settings, listener=Listener.NONE) as app:
        settle_memory()
        if not http:
            await stop.wait()
            return
        with _listen(settings) as listener:
            await _serve_http(app.asgi, listener, stop)


def _listen(settings: Settings) -> socket.socket:
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as error:
        raise StartError(
            f"HOST, PORT: {settings.host}:{settings.port} cannot be listened on: {error.strerror}"
        ) from None
    # On a socket made so asyncio leaves Nagle's algorithm on, and an answer waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _serve_http(asgi: Starlette, listener: socket.socket, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        asgi,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        # The sandbox brings a WebSocket server along; the app serves none.
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    log.info("app.serving", host=listener.getsockname()[0], port=listener.getsockname()[1])
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


class _Server(uvicorn.Server):
    """Leaves signals to the command: uvicorn would raise them again before the app has closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _engine(runtime: Runtime) -> Engine:
    kinds = [
        Kind(name=name, leases=runtime.leases[name], advance=partial(job, runtime), outages=OUTAGES)
        for name, job in JOBS.items()
    ]
    return Engine(kinds, runtime.clock, runtime.metrics)


class _Anybody(AsyncAuthorize):
    """Lets every request pass: each listener asks our own records who may do what (`handlers.register`)."""

    async def __call__(self, **_who: object) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None)


def _bolt(runtime: Runtime) -> AsyncApp:
    return AsyncApp(
        client=runtime.slack,
        authorize=_Anybody(),  # type: ignore[no-untyped-call]
        oauth_flow=_oauth_flow(runtime),
        # The HTTP edge has verified it before anything was read; over a socket there is no signature.
        request_verification_enabled=False,
        # Listeners end with their acknowledgement; otherwise Bolt looks for it every ten milliseconds.
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
        scopes=list(BOT_SCOPES),
        slack=runtime.slack,
        store=runtime.installations,
        installed=runtime.lifecycle.installed,
    )


def _slack_routes(runtime: Runtime, bolt: AsyncApp, listener: Listener) -> list[Route]:
    """Return what of Slack's is served over HTTP: its requests, unless a socket brings them; installing."""
    routes = [] if bolt.oauth_flow is None or listener is Listener.NONE else install_routes(bolt)
    secret = runtime.settings.slack_signing_secret
    if listener is Listener.HTTP:
        if secret is None:
            raise StartError("SLACK_SIGNING_SECRET: missing; it proves that requests come from Slack")
        verifier = SignatureVerifier(secret.get_secret_value())
        routes.append(events_route(bolt, verifier, runtime.metrics))
    return routes


async def _prepare_database(runtime: Runtime) -> None:
    database = runtime.database
    database.claim_alone()
    try:
        await _wait_for_database(runtime)
        if database.is_sqlite:
            await migrate(database)
            for leases in runtime.leases.values():
                await leases.clear()
        current = await is_current(database)
        runtime.clock.correct(await database.clock_ahead())
    except Exception as error:
        log.debug("app.database_unusable", exc_info=error)
        words = f"DATABASE_URL: the database cannot be used ({type(error).__name__})"
        raise StartError(words, for_now=not is_refused(error)) from None
    if not current:
        raise StartError(
            "DATABASE_URL: the database has not the newest schema; run `billing-bot migrate` first"
        )


async def _wait_for_database(runtime: Runtime) -> None:
    """Return once there is a connection. A restarted database is back within the patience."""
    give_up_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
    while True:
        try:
            await runtime.database.connect()
        except Exception as error:
            if is_refused(error) or time.monotonic() >= give_up_at:
                raise
            log.warning("app.waits_for_database", problem=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


async def _recognise_workspace(runtime: Runtime) -> bool:
    """Ask Slack whose token it is, where there is one; False when Slack is away."""
    if runtime.one_workspace is None:
        return True
    try:
        await runtime.one_workspace.recognise()
    except SlackApiError as error:
        code = error.response.get("error")
        if error.response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or code in NOT_NOW:
            return False
        raise StartError(f"SLACK_BOT_TOKEN: Slack does not accept it ({code})") from None
    except AWAY as error:
        log.warning("app.slack_away", problem=type(error).__name__)
        return False
    return True


async def _recognise_later(runtime: Runtime) -> None:
    wait = AGAIN_SECONDS
    while True:
        await asyncio.sleep(wait)
        wait = min(2 * wait, AGAIN_CAP_SECONDS)
        try:
            if await _recognise_workspace(runtime):
                return
        except StartError as error:
            log.error("app.slack_refuses", problem=str(error))  # noqa: TRY400 - the text is all there is to say


def _socket_mode(runtime: Runtime, bolt: AsyncApp) -> SocketMode:
    token = runtime.settings.slack_app_token
    if token is None:
        raise StartError("SLACK_APP_TOKEN: missing; the app-level token for --socket-mode, xapp-…")
    return SocketMode(bolt, token.get_secret_value(), runtime.slack)


async def _open_socket(sockets: SocketMode) -> None:
    try:
        await sockets.open()
    except SlackApiError as error:
        code = error.response.get("error")
        raise StartError(f"SLACK_APP_TOKEN: Slack does not accept it ({code})") from None


async def _seal_audit(runtime: Runtime) -> None:
    """Keep the audit log's chain up to its end. The head goes to the log too, where others keep it."""
    everything = True
    while True:
        try:
            await _seal_all(runtime, everything=everything)
            everything = False
        except Exception as error:  # noqa: BLE001 - said, and tried again
            log.warning("audit.not_sealed", problem=type(error).__name__)
            runtime.metrics.seal_failures.inc()
        await asyncio.sleep(SEAL_EVERY_SECONDS)


async def _seal_all(runtime: Runtime, *, everything: bool = False) -> None:
    while (sealed := await runtime.audit.seal(everything=everything)) is not None:
        log.info("audit.sealed", number=sealed.number, head=sealed.digest)


async def _forget(runtime: Runtime) -> None:
    """Forget what is due to be forgotten, and who is gone; once at the start and then every hour."""
    while True:
        for forget in (runtime.retention.forget, runtime.lifecycle.look_over):
            try:
                await forget()
            except Exception as error:  # noqa: BLE001 - next time will do
                log.warning("app.not_forgotten", problem=type(error).__name__)
        await asyncio.sleep(FORGET_EVERY_SECONDS)


async def _follow_clock(runtime: Runtime) -> None:
    """Keep our clock with the database's, so that all replicas agree on what is due."""
    while not runtime.database.is_sqlite:
        if abs(runtime.clock.ahead) > CLOCK_TOLERANCE:
            log.warning("app.clock_corrected", ahead_seconds=runtime.clock.ahead.total_seconds())
        await asyncio.sleep(CLOCK_EVERY_SECONDS)
        with contextlib.suppress(Exception):  # a database that is away is noticed elsewhere
            runtime.clock.correct(await runtime.database.clock_ahead())


@asynccontextmanager
async def _running(beside: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run what goes on beside the work, and end it with the block."""
    with acting("worker"):
        tasks = [asyncio.create_task(each) for each in beside]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _health(runtime: Runtime, engine: Engine, sockets: SocketMode | None, *, worker: bool) -> Health:
    """Tell what keeps this process from serving, and what it can do nothing about."""
    problems = []
    try:
        async with asyncio.timeout(PING_SECONDS):
            await runtime.database.ping()
    except Exception as error:  # noqa: BLE001 - whatever the driver raises means the same here
        log.warning("readyz.database", problem=type(error).__name__)
        problems.append(f"database: cannot be written ({type(error).__name__})")
    if worker and (engine.beat_at is None or time.monotonic() - engine.beat_at > BEAT_SECONDS):
        problems.append("worker: has not looked for work lately")
    if not runtime.workspaces.ready:
        problems.append("slack: has not said yet which workspace this is")
    if sockets is not None and not await sockets.is_connected():
        problems.append("slack: no connection for its requests")
    return Health(problems=problems, trouble=[reach.trouble for reach in runtime.reaches if reach.trouble])


async def _look_at_ledger(runtime: Runtime) -> None:
    """Set the meters of what has not ended; without a database they are gone rather than old."""
    metrics = runtime.metrics
    metrics.unfinished.clear()
    metrics.oldest_unfinished_seconds.clear()
    try:
        async with asyncio.timeout(PING_SECONDS):
            unfinished = await runtime.charges.unfinished()
    except Exception as error:  # noqa: BLE001 - whatever the driver raises means the same here
        log.warning("metrics.database", problem=type(error).__name__)
        return
    now = runtime.clock.now()
    for state in UNFINISHED:
        count, since = unfinished.get(state.value, (0, now))
        metrics.unfinished.labels(state.value).set(count)
        metrics.oldest_unfinished_seconds.labels(state.value).set((now - since).total_seconds())
