"""The composition root: what runs in one process, how it starts, and in which order it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import structlog
import uvicorn
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.engine import Engine, Kind
from bot.http import make_asgi
from bot.runtime import open_runtime
from bot.storage.schema import is_current, migrate
from handlers.jobs.charge import advance_charge
from handlers.jobs.device_grant import advance_device_grant
from handlers.jobs.message import advance_message
from handlers.register import register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.applications import Starlette

    from bot.domain.clock import Clock
    from bot.runtime import Runtime
    from bot.settings import Settings

GRACE_SECONDS = 4
BEAT_SECONDS = 30
JOBS = {"charge": advance_charge, "message": advance_message, "device_grant": advance_device_grant}

log = structlog.get_logger(__name__)


class StartError(Exception):
    """The app cannot start; the text is a whole line for the operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingApp:
    """A running app: its parts, and the ASGI app to serve."""

    runtime: Runtime
    engine: Engine
    bolt: AsyncApp
    asgi: Starlette


@asynccontextmanager
async def open_app(
    settings: Settings, *, worker: bool = True, clock: Clock | None = None
) -> AsyncIterator[BillingApp]:
    """Build and start everything but the HTTP server. On leaving: the work stops first, connections last.

    Raises:
        StartError: the database or Slack does not allow it.
    """
    engines: list[Engine] = []

    def wake(*kinds: str) -> None:
        for engine in engines:
            engine.wake(*kinds)

    async with open_runtime(settings, wake=wake, clock=clock) as runtime:
        await _prepare_database(runtime)
        await _recognise_workspace(runtime)
        engine = _engine(runtime)
        engines.append(engine)
        bolt = _bolt(runtime)
        register(bolt, runtime)
        asgi = make_asgi(bolt, partial(_problems, runtime, engine, worker=worker))
        running = asyncio.create_task(engine.run(), name="engine") if worker else None
        try:
            yield BillingApp(runtime=runtime, engine=engine, bolt=bolt, asgi=asgi)
        finally:
            await runtime.calls.finish(GRACE_SECONDS)
            await engine.stop(GRACE_SECONDS)
            if running is not None:
                await running


async def serve(settings: Settings, stop: asyncio.Event, *, worker: bool = True) -> None:
    """Serve HTTP and work until `stop` is set.

    Raises:
        StartError: the address is taken, or as `open_app`.
    """
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as error:
        raise StartError(
            f"HOST, PORT: {settings.host}:{settings.port} cannot be listened on: {error.strerror}"
        ) from None
    with listener:
        async with open_app(settings, worker=worker) as app:
            log.info("app.serving", host=settings.host, port=listener.getsockname()[1])
            await _serve_http(app.asgi, listener, stop)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Work without HTTP until `stop` is set."""
    async with open_app(settings):
        await stop.wait()


async def _serve_http(asgi: Starlette, listener: socket.socket, stop: asyncio.Event) -> None:
    config = uvicorn.Config(
        asgi,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
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
        Kind(name=name, leases=runtime.leases[name], advance=partial(job, runtime))
        for name, job in JOBS.items()
    ]
    return Engine(kinds, runtime.clock)


def _bolt(runtime: Runtime) -> AsyncApp:
    return AsyncApp(
        client=runtime.slack,
        signing_secret=runtime.settings.slack_signing_secret.get_secret_value(),
        # The bot's own messages are of no interest, and unknown requests get Bolt's 404.
        ignoring_self_events_enabled=True,
    )


async def _prepare_database(runtime: Runtime) -> None:
    database = runtime.database
    database.claim_alone()
    if database.is_sqlite:
        await migrate(database)
        for leases in runtime.leases.values():
            await leases.clear()
    elif not await is_current(database):
        raise StartError(
            "DATABASE_URL: the database has not the newest schema; run `billing-bot migrate` first"
        )


async def _recognise_workspace(runtime: Runtime) -> None:
    try:
        answer = await runtime.slack.auth_test()
    except SlackApiError as error:
        code = error.response.get("error")
        raise StartError(f"SLACK_BOT_TOKEN: Slack does not accept it ({code})") from None
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise StartError(f"SLACK_API_URL: Slack cannot be reached ({type(error).__name__})") from None
    runtime.workspace.team = str(answer.get("team_id") or "")
    runtime.workspace.enterprise = str(answer.get("enterprise_id") or "")
    runtime.workspace.bot_user = str(answer.get("user_id") or "")


async def _problems(runtime: Runtime, engine: Engine, *, worker: bool) -> list[str]:
    problems = []
    try:
        async with asyncio.timeout(2):
            await runtime.database.ping()
    except Exception as error:  # noqa: BLE001 - whatever the driver raises means the same here
        log.warning("readyz.database", problem=type(error).__name__)
        problems.append("database")
    if worker and (engine.beat_at is None or time.monotonic() - engine.beat_at > BEAT_SECONDS):
        problems.append("worker")
    return problems
