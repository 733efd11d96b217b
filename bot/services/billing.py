"""Looking at an organisation's billing with a person's own grant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import PortalRefusalError, PortalUnavailableError, RelinkRequiredError

if TYPE_CHECKING:
    from bot.domain.billing import AccountInfo, BillingState, Usage
    from bot.domain.identity import Identity
    from bot.portal.client import PortalClient
    from bot.services.accounts import Accounts

log = structlog.get_logger(__name__)


class Billing:
    """Reads for the screens. Each may raise NotLinkedError, RelinkRequiredError or a PortalError."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def state(self, identity: Identity) -> BillingState:
        """Return the billing state as it is now."""
        _, portal = await self._accounts.portal(identity)
        return await portal.state()

    async def overview(self, identity: Identity) -> tuple[BillingState, Usage | None]:
        """Return the state, and the usage where the account call answers (behaviour 8)."""
        _, portal = await self._accounts.portal(identity)
        state, usage = await asyncio.gather(portal.state(), _usage(portal))
        return state, usage

    async def account(self, identity: Identity) -> AccountInfo:
        """Return whose grant it is and what they can use."""
        _, portal = await self._accounts.portal(identity)
        return await portal.account()


async def _usage(portal: PortalClient) -> Usage | None:
    try:
        return (await portal.account()).usage
    except (PortalUnavailableError, PortalRefusalError, RelinkRequiredError) as error:
        log.info("billing.no_usage", problem=type(error).__name__)
        return None
