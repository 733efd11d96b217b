"""The peer of the worker: a plain asyncio loop with the same client, no store, and nothing that survives.

    python -m tests.benchmarks.plain WIRE poll COUNT SECONDS aiohttp|httpx
    python -m tests.benchmarks.plain WIRE buy COUNT GOING_ON aiohttp|httpx

`poll` asks about so many charges every two seconds, for so long. `buy` makes so many purchases, as many
at a time as may be going on: charge, ask until it has settled, post the message, edit it.
"""

from __future__ import annotations

import asyncio
import random
import sys
import uuid
from contextlib import suppress
from decimal import Decimal

import aiohttp
import httpx

from bot.availability import Availability
from bot.domain.billing import ChargeStatusKind
from bot.domain.errors import PortalUnavailableError
from bot.metrics import Metrics
from bot.portal.client import PortalClient
from bot.portal.transport import Transport
from bot.serving import settle_memory
from bot.slack.client import SlackClient
from bot.slack.pictures import Pictures
from bot.system_clock import SystemClock

INTERVAL = 2.0


class Token:
    async def access_token(self, *, rejected: str | None = None) -> str:  # noqa: ARG002 - the client's protocol
        return "token"


async def poll(portal: PortalClient, name: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    next_at = loop.time() + random.uniform(0, INTERVAL)  # noqa: S311 - spreads load
    while next_at < ends:
        await asyncio.sleep(next_at - loop.time())
        # What is not answered in time is missed at the portal, where the cadence is measured.
        with suppress(PortalUnavailableError):
            await portal.charge_status(name)
        next_at += INTERVAL


async def buy(portal: PortalClient, slack: SlackClient, key: str, gate: asyncio.Semaphore) -> None:
    async with gate:
        await _buy(portal, slack, key)


async def _buy(portal: PortalClient, slack: SlackClient, key: str) -> None:
    charge = await portal.charge(Decimal(50), idempotency_key=key)
    posted = await slack.chat_postMessage(channel="U1", text="Adding $50")
    while True:
        await asyncio.sleep(INTERVAL)
        if (await portal.charge_status(charge)).kind is ChargeStatusKind.SETTLED:
            break
    metadata = {"event_type": "billing_charge", "event_payload": {"charge": key}}
    await slack.chat_update(channel="D1", ts=str(posted["ts"]), text="$50 added", metadata=metadata)


async def main(wire: int, what: str, count: int, seconds: float, transport_name: str) -> None:
    settle_memory()
    clock = SystemClock()
    transport = Transport(clock, Metrics(), Availability("portal", clock))
    if transport_name == "httpx":
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        transport._http = httpx.AsyncHTTPTransport(limits=limits)
    portal = PortalClient(transport, f"http://127.0.0.1:{wire}", Token())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        slack = SlackClient(
            token="xoxb-x",
            base_url=f"http://127.0.0.1:{wire}/slack/",
            session=http,
            timeout=10,
            metrics=Metrics(),
            availability=Availability("slack", clock),
            pictures=Pictures(None),
        )
        if what == "poll":
            await asyncio.gather(*(poll(portal, f"bg_{number}", seconds) for number in range(count)))
        else:
            gate = asyncio.Semaphore(int(seconds))
            await asyncio.gather(*(buy(portal, slack, str(uuid.uuid4()), gate) for _ in range(count)))
    await transport.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]))
