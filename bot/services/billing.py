"""Reading and changing an organization's billing with a person's own grant."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from bot.domain.audit import Action
from bot.domain.billing import Overview
from bot.domain.errors import (
    BillingError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.domain.rules import RuleError
from bot.domain.subscription import PlanChange, Preview
from bot.domain.watch import WatchState
from bot.domain.watch_views import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from decimal import Decimal

    from bot.domain.billing import AccountInfo, AutoReloadChoice, BillingState, Usage
    from bot.domain.charge import Charge
    from bot.domain.clock import Clock
    from bot.domain.identity import Account, Connection, Identity
    from bot.domain.subscription import Subscription
    from bot.portal.client import PortalClient
    from bot.services.accounts import Accounts
    from bot.services.permission import Permission
    from bot.services.routing import Routing
    from bot.storage.audit import AuditStore
    from bot.storage.charges.store import ChargeStore
    from bot.storage.watches import WatchStore

_Answer = TypeVar("_Answer")

log = structlog.get_logger(__name__)


APPLYING = timedelta(minutes=2)
"""How long an upgrade is shown as being applied.

The portal shows a new plan up to 30 s after the payment (docs/portal.md, section 8.4). This is four times
that.
"""


MOST_PREVIEWS = 3
PREVIEWS_SECONDS = 2
"""How long the plans wait for what each would cost today; without it they say only when they start."""


class Billing:
    """Reads and changes for the screens. They raise NotLinkedError, RelinkRequiredError or PortalError."""

    def __init__(
        self,
        accounts: Accounts,
        permission: Permission,
        charges: ChargeStore,
        audit: AuditStore,
        routing: Routing,
        watches: WatchStore,
        clock: Clock,
        *,
        people_ask: bool,
    ) -> None:
        """`people_ask`: whoever may not charge can ask others for funds."""
        self._routing = routing
        self._watches = watches
        self._people_ask = people_ask
        self._accounts = accounts
        self._permission = permission
        self._charges = charges
        self._audit = audit
        self._clock = clock

    async def state(self, identity: Identity) -> BillingState:
        """Return the current billing state."""
        _, portal = await self._accounts.portal(identity)
        return await portal.state()

    async def overview(self, identity: Identity) -> Overview:
        """Return the billing state, and the usage if the account call answers (behavior 8)."""
        connection, portal = await self._accounts.connected(identity)
        usage, state, upgrade = await asyncio.gather(
            _dated_usage(portal),
            portal.state(),
            self._recent_upgrade(identity, connection.account),
            return_exceptions=True,
        )
        # Raise the usage error first: for a login without an organization it says more than the other one.
        if isinstance(usage, BaseException):
            raise usage
        if isinstance(state, BaseException):
            raise state
        if isinstance(upgrade, BaseException):
            raise upgrade
        await self._routing.seen(identity, connection, state)
        return Overview(
            state=state,
            usage=usage,
            connection=connection,
            read_at=self._clock.now(),
            applying=_applying(upgrade, usage),
            may_ask=self._people_ask and not state.may_charge,
            watched=await self._watched(identity, state) if self._people_ask else None,
            budgets=await self._permission.budgets(identity, everything=state.may_charge),
        )

    async def _watched(self, identity: Identity, state: BillingState) -> Watched | None:
        """Return who watches the balance, and how long it lasts; None if nobody wants it watched."""
        for watch in await self._watches.of_organization(identity.tenant, state.organization_id):
            if watch.state is not WatchState.OFF:
                return Watched(watch=watch, look=await self._watches.look(watch, state, self._clock.now()))
        return None

    async def account(self, identity: Identity) -> tuple[AccountInfo, str | None]:
        """Return the grant's account and usage, and the name of a plan that is being applied, if any.

        Raises:
            NoOrganizationError: the login belongs to no organization.
        """
        _, portal = await self._accounts.portal(identity)
        info, subscription = await asyncio.gather(portal.account(), _subscription(portal))
        if subscription is not None:
            info = replace(info, usage=subscription.dated(info.usage))
        return info, _applying(await self._recent_upgrade(identity, info.account), info.usage)

    async def subscription(self, identity: Identity) -> tuple[Subscription, BillingState, Connection]:
        """Return the plan, the billing state with the payment method, and the connection."""
        connection, portal = await self._accounts.connected(identity)
        subscription, state, upgrade = await asyncio.gather(
            portal.subscription(), portal.state(), self._recent_upgrade(identity, connection.account)
        )
        now_on = subscription.current.tier_id if subscription.current is not None else None
        if upgrade is not None and upgrade.tier_id != now_on:
            subscription = replace(subscription, applying=upgrade.tier_name)
        return subscription, state, connection

    async def _recent_upgrade(self, identity: Identity, account: Account) -> Charge | None:
        """Return the organization's upgrade that was paid for a moment ago, if any."""
        upgrade = await self._charges.recent_upgrade(identity.key, since=self._clock.now() - APPLYING)
        theirs = upgrade is not None and upgrade.organization_id == account.organization_id
        return upgrade if theirs else None

    async def preview_plan(self, identity: Identity, tier_id: str) -> Preview:
        """Return what changing to a plan would do, without doing it."""
        _, portal = await self._accounts.portal(identity)
        return await portal.preview_plan(tier_id)

    async def due_today(self, identity: Identity, subscription: Subscription) -> dict[str, Decimal]:
        """Return what each larger plan would cost today (US dollars), by its id.

        Only what the portal says within PREVIEWS_SECONDS is there.
        """
        larger = subscription.larger[:MOST_PREVIEWS]
        if not larger or subscription.applying is not None:
            return {}
        _, portal = await self._accounts.portal(identity)
        try:
            async with asyncio.timeout(PREVIEWS_SECONDS):
                previews = await asyncio.gather(
                    *(portal.preview_plan(tier.id) for tier in larger), return_exceptions=True
                )
        except TimeoutError:
            return {}
        found = zip(larger, previews, strict=True)
        due = {tier.id: each.due_now for tier, each in found if isinstance(each, Preview)}
        return {tier_id: amount for tier_id, amount in due.items() if amount is not None}

    async def change_plan(self, identity: Identity, change: PlanChange, tier_id: str | None) -> str | None:
        """Schedule, cancel or keep a plan, without a charge; return the server's message.

        Raises:
            RuleError: read-only, or locked; a lock does not prevent a cancellation.
        """

        async def gate() -> None:
            self._permission.require_changes(identity)
            if change is not PlanChange.CANCEL:
                await self._permission.require_spending(identity)

        await gate()
        _, portal = await self._accounts.portal(identity, gate)
        async with self._audited(identity, Action.PLAN, change=change.value, tier=tier_id):
            match change:
                case PlanChange.SCHEDULE:
                    return await portal.schedule_plan(tier_id or "")
                case PlanChange.CANCEL:
                    return await portal.cancel_plan()
                case PlanChange.KEEP:
                    return await portal.keep_plan()

    async def set_auto_reload(self, identity: Identity, wanted: AutoReloadChoice) -> None:
        """Switch auto-reload on with these amounts, or off; safe to repeat.

        Raises:
            RuleError: an operator's rule forbids it; a lock does not prevent switching off.
        """
        gate = partial(self._permission.require_auto_reload, identity, wanted)
        await gate()
        _, portal = await self._accounts.portal(identity, gate)
        link = await self._accounts.link(identity)
        await self._watches.changed_here(identity.tenant, link.account.organization_id)
        amounts = {"below": wanted.threshold, "to": wanted.reload_to} if wanted.enabled else {}
        async with self._audited(identity, Action.AUTO_RELOAD, enabled=wanted.enabled, **amounts):
            await portal.configure_auto_reload(
                enabled=wanted.enabled, threshold=wanted.threshold, reload_to=wanted.reload_to
            )

    @asynccontextmanager
    async def _audited(self, identity: Identity, action: Action, **facts: object) -> AsyncIterator[None]:
        """Record the action in the audit log before the portal is asked, and its result after."""

        async def record(result: str) -> None:
            await self._audit.record(
                action, actor=identity.key, subject=identity.key, result=result, **facts
            )

        await record("asked")
        try:
            yield
        except RuleError as error:
            await record(f"refused: {error.rule.value}")
            raise
        except PortalRefusalError as error:
            await record(f"refused: {error.code.value}")
            raise
        except BillingError as error:
            await record(f"unknown: {type(error).__name__}")
            raise
        await record("done")


def _applying(upgrade: Charge | None, usage: Usage | None) -> str | None:
    """Return the plan that was paid for a moment ago, unless the account shows it already."""
    plan = usage.plan.name if usage is not None and usage.plan is not None else None
    return upgrade.tier_name if upgrade is not None and upgrade.tier_name != plan else None


async def _dated_usage(portal: PortalClient) -> Usage | None:
    """Return the usage, with the end of a canceled plan; the account call does not name that."""
    info, subscription = await asyncio.gather(
        _unless_away(portal.account(), "billing.no_usage"), _subscription(portal)
    )
    if info is None or subscription is None:
        return None if info is None else info.usage
    return subscription.dated(info.usage)


async def _subscription(portal: PortalClient) -> Subscription | None:
    return await _unless_away(portal.subscription(), "billing.no_subscription")


async def _unless_away(call: Awaitable[_Answer], event: str) -> _Answer | None:
    """Return what the portal answers; None, with this event in the log, if it does not, or refuses."""
    try:
        return await call
    except (PortalUnavailableError, PortalRefusalError, RelinkRequiredError) as error:
        log.info(event, problem=type(error).__name__)
        return None
