from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from bot.availability import Availability
from bot.metrics import Metrics
from bot.portal.transport import Transport
from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def portal() -> AsyncIterator[PortalSandbox]:
    sandbox = PortalSandbox(seed=1)
    async with serve(sandbox.app) as url:
        sandbox.public_url = url
        yield sandbox


@pytest_asyncio.fixture
async def transport() -> AsyncIterator[Transport]:
    clock = SystemClock()
    made = Transport(clock, Metrics(), Availability("portal", clock), timeout_seconds=1)
    yield made
    await made.aclose()
