from __future__ import annotations

import asyncio

from bot.background import running
from bot.domain.audit import acting_from


async def test_background_tasks_act_as_the_worker() -> None:
    origin: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def look() -> None:
        origin.set_result(acting_from.get())

    async with running([look()]):
        assert await origin == "worker"
