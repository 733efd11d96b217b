"""The operator's endpoints: /healthz (the process runs), /readyz (it can serve), /metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.domain.charge import UNFINISHED
from bot.domain.request import GOING_ON
from bot.domain.watch import WatchState
from bot.elapsed import elapsed
from bot.timing import HEARTBEAT_SECONDS, PING_SECONDS

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.engine import Engine
    from bot.runtime import Runtime
    from bot.slack.socket_mode import SocketMode

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """A process's health. `problems` stop it from serving; `degraded` names servers that do not answer."""

    problems: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)


class HealthCheck:
    """Checks the parts of one process. `engine` is None if this process runs no worker."""

    def __init__(self, runtime: Runtime, engine: Engine | None, sockets: SocketMode | None) -> None:
        self._runtime = runtime
        self._engine = engine
        self._sockets = sockets

    async def health(self) -> Health:
        """Check the database and the other parts."""
        runtime = self._runtime
        problems = await self._database_problems()
        if self._engine is not None and not _looked_lately(self._engine):
            problems.append("worker: has not looked for work lately")
        if not runtime.workspaces.ready:
            problems.append("slack: has not said yet which workspace this is")
        if self._sockets is not None and not await self._sockets.is_connected():
            problems.append("slack: no connection for its requests")
        degraded = [each.degraded for each in runtime.availabilities if each.degraded]
        return Health(problems=problems, degraded=degraded)

    async def _database_problems(self) -> list[str]:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._runtime.database.ping()
        except Exception as error:  # noqa: BLE001 - every driver error means the same here
            log.warning("readyz.database", problem=type(error).__name__)
            return [f"database: cannot be written ({type(error).__name__})"]
        return []

    async def measure_ledger(self) -> None:
        """Set the gauges of what is unfinished. Without a database they are absent rather than outdated."""
        metrics = self._runtime.metrics
        gauges = (
            (UNFINISHED, metrics.unfinished, metrics.oldest_unfinished_seconds),
            (GOING_ON, metrics.requests_open, metrics.oldest_request_seconds),
        )
        for _, number, oldest in gauges:
            number.clear()
            oldest.clear()
        try:
            async with asyncio.timeout(PING_SECONDS):
                found = (
                    await self._runtime.charges.unfinished(),
                    await self._runtime.request_store.unfinished(),
                )
        except Exception as error:  # noqa: BLE001 - every driver error means the same here
            log.warning("metrics.database", problem=type(error).__name__)
            return
        now = self._runtime.clock.now()
        watches, oldest_read = await self._runtime.watches.counts()
        for watch_state in WatchState:
            metrics.watches.labels(watch_state.value).set(watches.get(watch_state.value, 0))
        age = timedelta(0) if oldest_read is None else now - oldest_read
        metrics.watch_age_seconds.set(age.total_seconds())
        for unfinished, (states, number, oldest) in zip(found, gauges, strict=True):
            for state in states:
                count, since = unfinished.get(state.value, (0, now))
                number.labels(state.value).set(count)
                oldest.labels(state.value).set((now - since).total_seconds())

    def routes(self) -> list[Route]:
        """Return the three routes. They expose no secret, but are for internal use (docs/security.md)."""
        return [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
        ]

    async def _healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _readyz(self, _request: Request) -> Response:
        found = await self.health()
        ready = not found.problems
        body = {"ready": ready, "problems": found.problems, "degraded": found.degraded}
        return JSONResponse(body, 200 if ready else 503)

    async def _metrics(self, _request: Request) -> Response:
        await self.measure_ledger()
        return Response(self._runtime.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _looked_lately(engine: Engine) -> bool:
    return engine.beat_at is not None and elapsed() - engine.beat_at <= HEARTBEAT_SECONDS
