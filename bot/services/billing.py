"""Looking at an organization's billing with a person's own grant."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bot.domain.audit import Action
from bot.domain.billing import Overview
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
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Connection, Identity
    from bot.domain.subscription import Preview, Subscription
    from bot.portal.client import PortalClient
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.storage.audit import AuditStore
    from bot.storage.charges.store import ChargeStore

log = structlog.get_logger(__name__)


APPLYING = timedelta(minutes=2)
"""The portal shows a new plan up to 30 s after it was paid for (docs/portal.md, section 8.4).

Four times that, to be sure.
"""


class Billing:
    """Reads for the screens. Each may raise NotLinkedError, RelinkRequiredError or a PortalError."""

    def __init__(
        self,
        accounts: Accounts,
        permission: Permission,
        charges: ChargeStore,
        audit: AuditStore,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._permission = permission
        self._charges = charges
        self._audit = audit
        self._clock = clock

    async def state(self, identity: Identity) -> BillingState:
        """Return the billing state as it is now."""
        _, portal = await self._accounts.portal(identity)
        return await portal.state()

    async def overview(self, identity: Identity) -> Overview:
        """Return the state, and the usage where the account call answers (behavior 8)."""
        connection, portal = await self._accounts.connected(identity)
        usage, state, upgrade = await asyncio.gather(
            _usage(portal),
            portal.state(),
            self._recent_upgrade(identity, connection.account),
            return_exceptions=True,
        )
        # Usage first: a login without an organization is refused by the other call too, which says less.
        if isinstance(usage, BaseException):
            raise usage
        if isinstance(state, BaseException):
            raise state
        if isinstance(upgrade, BaseException):
            raise upgrade
        return Overview(
            state=state,
            usage=usage,
            connection=connection,
            read_at=self._clock.now(),
            applying=_applying(upgrade, usage),
        )

    async def account(self, identity: Identity) -> tuple[AccountInfo, str | None]:
        """Return whose grant it is and what they can use, and the plan that is being applied, if any.

        Raises:
            NoOrganizationError: the login belongs to no organization.
        """
        _, portal = await self._accounts.portal(identity)
        info = await portal.account()
        return info, _applying(await self._recent_upgrade(identity, info.account), info.usage)

    async def subscription(self, identity: Identity) -> tuple[Subscription, BillingState, Connection]:
        """Return the plan, the state that says what would be charged, and whose connection it is."""
        connection, portal = await self._accounts.connected(identity)
        subscription, state, upgrade = await asyncio.gather(
            portal.subscription(), portal.state(), self._recent_upgrade(identity, connection.account)
        )
        now_on = subscription.current.tier_id if subscription.current is not None else None
        if upgrade is not None and upgrade.tier_id != now_on:
            subscription = replace(subscription, applying=upgrade.tier_name)
        return subscription, state, connection

    async def _recent_upgrade(self, identity: Identity, account: Account) -> Charge | None:
        """Return the upgrade of the organization that was paid for a moment ago."""
        upgrade = await self._charges.recent_upgrade(identity.key, since=self._clock.now() - APPLYING)
        theirs = upgrade is not None and upgrade.organization_id == account.organization_id
        return upgrade if theirs else None

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

        async def record(result: str) -> None:
            await self._audit.record(
                action, actor=identity.key, subject=identity.key, result=result, **facts
            )

        await record("asked")
        try:
            yield
        except PortalRefusalError as error:
            await record(f"refused: {error.code.value}")
            raise
        except BillingError as error:
            await record(f"unknown: {type(error).__name__}")
            raise
        await record("done")


def _applying(upgrade: Charge | None, usage: Usage | None) -> str | None:
    """Return the plan that was paid for a moment ago, where the account does not show it yet."""
    plan = usage.plan.name if usage is not None and usage.plan is not None else None
    return upgrade.tier_name if upgrade is not None and upgrade.tier_name != plan else None


async def _usage(portal: PortalClient) -> Usage | None:
    try:
        return (await portal.account()).usage
    except (PortalUnavailableError, PortalRefusalError, RelinkRequiredError) as error:
        log.info("billing.no_usage", problem=type(error).__name__)
        return None
