"""The balance after a purchase, for its message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import BillingError

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.portal.client import PortalClient

BALANCE_SECONDS = 2
"""How long the message about a settled purchase may wait for the balance."""

log = structlog.get_logger(__name__)


async def balance_now(portal: PortalClient) -> Decimal | None:
    """Return the balance (US dollars); None if the portal does not say it within BALANCE_SECONDS."""
    try:
        async with asyncio.timeout(BALANCE_SECONDS):
            return (await portal.state(in_background=True)).balance
    except (TimeoutError, BillingError) as error:
        log.info("balance.not_known", problem=type(error).__name__)
        return None
