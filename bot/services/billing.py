"""Looking at an organisation's billing with a person's own grant."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from bot.domain.audit import Action
from bot.domain.errors import (
    BillingError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.domain.subscription import PlanChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.domain.billing import AccountInfo, AutoReloadChoice, BillingState, Usage
    from bot.domain.identity import Identity
    from bot.domain.subscription import Preview, Subscription
    from bot.portal.client import PortalClient
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.storage.audit import AuditStore

log = structlog.get_logger(__name__)


class Billing:
    """Reads for the screens. Each may raise NotLinkedError, RelinkRequiredError or a PortalError."""

    def __init__(self, accounts: Accounts, permission: Permission, audit: AuditStore) -> None:
        self._accounts = accounts
        self._permission = permission
        self._audit = audit

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
        """Schedule, cancel or keep a plan, without a charge; returns the server's words.

        Raises:
            RuleError: read-only, or locked; a lock lets plans be cancelled.
        """
        self._permission.require_changes()
        if change is not PlanChange.CANCEL:
            await self._permission.require_spending(identity)
        _, portal = await self._accounts.portal(identity)
        async with self._audited(identity, Action.PLAN, change=change.value, tier=tier_id):
            match change:
                case PlanChange.SCHEDULE:
                    return await portal.schedule_plan(tier_id or "")
                case PlanChange.CANCEL:
                    return await portal.cancel_plan()
                case PlanChange.KEEP:
                    return await portal.keep_plan()

    async def set_auto_reload(self, identity: Identity, wanted: AutoReloadChoice) -> None:
        """Switch auto-reload on with these amounts, or off; harmless to repeat.

        Raises:
            RuleError: the operator's rules say no; a lock lets it be switched off.
        """
        await self._permission.require_auto_reload(identity, wanted)
        _, portal = await self._accounts.portal(identity)
        amounts = {"below": wanted.threshold, "to": wanted.reload_to} if wanted.enabled else {}
        async with self._audited(identity, Action.AUTO_RELOAD, enabled=wanted.enabled, **amounts):
            await portal.configure_auto_reload(
                enabled=wanted.enabled, threshold=wanted.threshold, reload_to=wanted.reload_to
            )

    @asynccontextmanager
    async def _audited(self, identity: Identity, action: Action, **facts: object) -> AsyncIterator[None]:
        """Tell the audit log before the portal is asked, and how it answered."""

        async def note(result: str) -> None:
            await self._audit.note(action, actor=identity.key, subject=identity.key, result=result, **facts)

        await note("asked")
        try:
            yield
        except PortalRefusalError as error:
            await note(f"refused: {error.code.value}")
            raise
        except BillingError as error:
            await note(f"unknown: {type(error).__name__}")
            raise
        await note("done")

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
