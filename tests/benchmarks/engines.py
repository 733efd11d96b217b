"""The engine apart from billing: durable things that are asked about a few times, and then end.

    python -m tests.benchmarks.engines ours|dbos|plain DATABASE_URL COUNT POLLS SECONDS

Each thing is begun durably, waits so often for so long, and its end is recorded; the plain loop records
nothing. Prints the CPU of a thing in milliseconds, its beginning included.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.domain.charge import Charge, ChargeState
from bot.domain.identity import Identity
from bot.engine import Engine, Kind, Released
from bot.metrics import Metrics
from bot.storage.charges.store import ChargeStore
from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.system_clock import SystemClock
from tests.support.ledger import request_store
from tests.support.samples import CIPHER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bot.engine import Lease

ADA = Identity(enterprise="", team="T0ACME", user="U0ADA")


async def wait_often(polls: int, seconds: float) -> None:
    """What a thing does: nothing, a few times."""
    for _ in range(polls):
        await asyncio.sleep(seconds)


async def plain(_url: str, count: int, polls: int, seconds: float) -> float:
    """Run a task each."""
    before = time.process_time()
    await asyncio.gather(*(wait_often(polls, seconds) for _ in range(count)))
    return time.process_time() - before


async def ours(url: str, count: int, polls: int, seconds: float) -> float:
    """Store each, and have the engine advance it; its last change gives it back."""
    clock, metrics, ended = SystemClock(), Metrics(), asyncio.Semaphore(0)
    database = Database(url, clock, works=True)
    await migrate(database, CIPHER)
    store = ChargeStore(database, CIPHER, request_store(database))

    async def advance(lease: Lease[Charge]) -> Released:
        await wait_often(polls, seconds)
        charge = lease.load()
        await store.save(lease, charge, charge.expired(now=clock.now()))
        ended.release()
        return Released()

    engine = Engine([Kind(leases=store.leases, advance=advance)], clock, metrics)
    running = asyncio.create_task(engine.run())
    before = time.process_time()
    for _ in range(count):
        await store.add(thing(clock.now()), due_at=clock.now() - timedelta(seconds=1))
        engine.wake("charge")
    for _ in range(count):
        await ended.acquire()
    used = time.process_time() - before
    await engine.stop(1)
    await running
    await database.aclose()
    return used


def thing(now: datetime) -> Charge:
    """Something durable."""
    return Charge(
        id=uuid.uuid4().hex[:16],
        identity=ADA,
        state=ChargeState.PROPOSED,
        amount=Decimal(50),
        idempotency_key=str(uuid.uuid4()),
        account_id="a",
        organization_id="o",
        organization_name=None,
        payment_method=None,
        created_at=now,
    )


async def dbos(url: str, count: int, polls: int, seconds: float) -> float:
    """Begin a workflow each, with one step that waits: what is recorded is its beginning and its end."""
    from dbos import DBOS, DBOSConfig  # noqa: PLC0415 - installed for the benchmark alone

    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "log_level": "ERROR",
    }
    DBOS(config=config)

    async def wait() -> None:
        await wait_often(polls, seconds)

    poll: Any = DBOS.step()(wait)

    async def follow() -> None:
        await poll()

    purchase: Any = DBOS.workflow()(follow)
    DBOS.launch()
    before = time.process_time()
    handles = [await DBOS.start_workflow_async(purchase) for _ in range(count)]
    # A handle asks the database for the result; the last one's is enough, and then those of the rest.
    for handle in reversed(handles):
        await handle.get_result()
    used = time.process_time() - before
    DBOS.destroy()
    return used


RUNS: dict[str, Callable[[str, int, int, float], Awaitable[float]]] = {
    "plain": plain,
    "ours": ours,
    "dbos": dbos,
}


async def main(name: str, url: str, count: int, polls: int, seconds: float) -> None:
    """Run one and print what a thing cost."""
    used = await RUNS[name](url, count, polls, seconds)
    sys.stdout.write(f"{1000 * used / count:.3f}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
