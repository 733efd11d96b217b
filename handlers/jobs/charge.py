"""A charge advances: submitted, polled, followed up. What to tell of it is the message's own job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bot.engine import Lease
    from bot.runtime import Runtime


async def advance_charge(runtime: Runtime, lease: Lease) -> datetime | None:
    """Take a charge as far as it goes; return when it is due next."""
    return await runtime.charging.advance(lease)
