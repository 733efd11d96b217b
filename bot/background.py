"""The table of loops that a process runs besides answering requests and advancing durable work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.audit import acting
from bot.storage.leases import anything_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from bot.runtime import Runtime

CLOCK_TOLERANCE = timedelta(seconds=2)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """One row: `run` is called at the start and then every `every` seconds. Failures are logged.

    `worker`: only processes that run a worker run this loop.
    """

    name: str
    every: float
    run: Callable[[Runtime], Awaitable[object]]
    worker: bool = True


async def follow_clock(runtime: Runtime) -> None:
    """Correct our clock by the database's, so that all processes agree on what is due.

    An embedded database has none. Then it is the computer's, while nothing waits that this would move.
    """
    clock = runtime.clock
    if not runtime.database.is_embedded:
        clock.correct(await runtime.database.clock_ahead())
        ahead = clock.ahead
    elif await anything_due(runtime.database):
        return
    else:
        ahead = clock.follow_computer()
    if abs(ahead) > CLOCK_TOLERANCE:
        log.warning("app.clock_corrected", ahead_seconds=ahead.total_seconds())


async def seal_audit(runtime: Runtime, *, everything: bool = False) -> None:
    """Extend the audit log's hash chain to its end. The log names the new head, for operators to copy."""
    try:
        while (sealed := await runtime.audit.seal(everything=everything)) is not None:
            log.info("audit.sealed", number=sealed.number, head=sealed.digest)
    except Exception:
        runtime.metrics.seal_failures.inc()
        raise


async def seal_whole_audit(runtime: Runtime) -> None:
    """Seal all entries, because a late commit can leave an older entry unsealed."""
    await seal_audit(runtime, everything=True)


async def forget_old(runtime: Runtime) -> None:
    """Delete or anonymize data whose retention time is over (docs/security.md)."""
    await runtime.retention.forget()


async def look_for_dead_installations(runtime: Runtime) -> None:
    """Delete installations that no longer exist, because Slack's event about it can be lost."""
    await runtime.lifecycle.look_over()


async def remind(runtime: Runtime) -> None:
    """Remind people the day before their connection ends."""
    await runtime.reminders.remind()


async def end_unanswered(runtime: Runtime) -> None:
    """End the connections of second people whom nobody has let in within a day."""
    await runtime.second_person.end_unanswered()


async def end_switched_off(runtime: Runtime) -> None:
    """Where requests for funds are switched off, withdraw those that are open."""
    await runtime.request_worker.end_switched_off()


LOOPS = (
    Loop(name="follow the database's clock", every=600, run=follow_clock, worker=False),
    Loop(name="seal the whole audit log", every=86_400, run=seal_whole_audit),
    Loop(name="seal the audit log", every=2, run=seal_audit),
    Loop(name="forget", every=3_600, run=forget_old),
    Loop(name="remind", every=3_600, run=remind),
    Loop(name="end unanswered", every=300, run=end_unanswered),
    Loop(name="end switched off", every=3_600, run=end_switched_off),
    Loop(name="look for dead installations", every=3_600, run=look_for_dead_installations),
)


def loops(runtime: Runtime, *, worker: bool) -> list[Coroutine[Any, Any, None]]:
    """Return the loops for this process."""
    return [_repeat(runtime, loop) for loop in LOOPS if worker or not loop.worker]


async def _repeat(runtime: Runtime, loop: Loop) -> None:
    while True:
        try:
            await loop.run(runtime)
        except Exception as error:  # noqa: BLE001 - the next run may succeed
            log.warning("background.failed", loop=loop.name, problem=type(error).__name__)
        await asyncio.sleep(loop.every)


@asynccontextmanager
async def running(tasks: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run the tasks during the block, with the audit origin "worker", and cancel them at its end."""
    with acting("worker"):
        started = [asyncio.create_task(each) for each in tasks]
    try:
        yield
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
