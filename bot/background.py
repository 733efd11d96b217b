"""What a process does beside answering requests and advancing durable work: a table of loops."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.audit import acting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from bot.runtime import Runtime

CLOCK_TOLERANCE = timedelta(seconds=2)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """One row: `run` is called at the start and then `every` so many seconds. A failure is logged.

    `worker`: it belongs to processes that work, not to those that only answer requests.
    """

    name: str
    every: float
    run: Callable[[Runtime], Awaitable[object]]
    worker: bool = True


async def follow_clock(runtime: Runtime) -> None:
    """Set our clock by the database's, so that all processes agree on what is due."""
    runtime.clock.correct(await runtime.database.clock_ahead())
    if abs(runtime.clock.ahead) > CLOCK_TOLERANCE:
        log.warning("app.clock_corrected", ahead_seconds=runtime.clock.ahead.total_seconds())


async def seal_audit(runtime: Runtime, *, everything: bool = False) -> None:
    """Extend the audit log's chain to its end. The log names the head, where operators keep a copy."""
    try:
        while (sealed := await runtime.audit.seal(everything=everything)) is not None:
            log.info("audit.sealed", number=sealed.number, head=sealed.digest)
    except Exception:
        runtime.metrics.seal_failures.inc()
        raise


async def seal_whole_audit(runtime: Runtime) -> None:
    """Do so for all entries, since a late commit may have left one behind long ago."""
    await seal_audit(runtime, everything=True)


async def forget_old(runtime: Runtime) -> None:
    """Forget what is due to be forgotten (docs/security.md)."""
    await runtime.retention.forget()


async def look_for_dead_installations(runtime: Runtime) -> None:
    """Forget installations that have ended: the event that says so may have been lost."""
    await runtime.lifecycle.look_over()


LOOPS = (
    Loop(name="follow the database's clock", every=600, run=follow_clock, worker=False),
    Loop(name="seal the whole audit log", every=86_400, run=seal_whole_audit),
    Loop(name="seal the audit log", every=2, run=seal_audit),
    Loop(name="forget", every=3_600, run=forget_old),
    Loop(name="look for dead installations", every=3_600, run=look_for_dead_installations),
)


def loops(runtime: Runtime, *, worker: bool) -> list[Coroutine[Any, Any, None]]:
    """Return the loops that belong to this process."""
    return [_repeat(runtime, loop) for loop in LOOPS if worker or not loop.worker]


async def _repeat(runtime: Runtime, loop: Loop) -> None:
    while True:
        try:
            await loop.run(runtime)
        except Exception as error:  # noqa: BLE001 - the next time may succeed
            log.warning("background.failed", loop=loop.name, problem=type(error).__name__)
        await asyncio.sleep(loop.every)


@asynccontextmanager
async def running(tasks: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these while the block runs, as the worker in the audit log, and cancel them with it."""
    with acting("worker"):
        started = [asyncio.create_task(each) for each in tasks]
    try:
        yield
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
