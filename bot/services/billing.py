"""Looking at an organisation's billing with a person's own grant."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bot.domain.errors import PortalRefusalError, PortalUnavailableError, RelinkRequiredError
from bot.domain.subscription import PlanChange

if TYPE_CHECKING:
    from bot.domain.billing import AccountInfo, AutoReloadChoice, BillingState, Usage
    from bot.domain.identity import Identity
    from bot.domain.subscription import Preview, Subscription
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

    async def subscription(self, identity: Identity) -> tuple[Subscription, BillingState]:
        """Return the plan, and the state that says which card would be charged."""
        _, portal = await self._accounts.portal(identity)
        return await asyncio.gather(portal.subscription(), portal.state())

    async def preview_plan(self, identity: Identity, tier_id: str) -> Preview:
        """Return what changing to a plan would do; nothing is done."""
        _, portal = await self._accounts.portal(identity)
        return await portal.preview_plan(tier_id)

    async def change_plan(self, identity: Identity, change: PlanChange, tier_id: str | None) -> str | None:
        """Schedule, cancel or keep a plan, without a charge; returns the server's words."""
        _, portal = await self._accounts.portal(identity)
        match change:
            case PlanChange.SCHEDULE:
                return await portal.schedule_plan(tier_id or "")
            case PlanChange.CANCEL:
                return await portal.cancel_plan()
            case PlanChange.KEEP:
                return await portal.keep_plan()

    async def set_auto_reload(self, identity: Identity, wanted: AutoReloadChoice) -> None:
        """Switch auto-reload on with these amounts, or off; harmless to repeat."""
        _, portal = await self._accounts.portal(identity)
        await portal.configure_auto_reload(
            enabled=wanted.enabled, threshold=wanted.threshold, reload_to=wanted.reload_to
        )

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
