"""`/billing subscription`: the plan; preview first, then schedule, cancel, keep, or upgrade."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blocks import ids
from blocks.charge import charge_modal
from blocks.kit import escape
from blocks.loading import loading_modal
from blocks.purchase import processing_modal
from blocks.subscription import (
    TITLE,
    blocked_modal,
    cancel_modal,
    charged_method,
    schedule_modal,
    subscription_modal,
    upgrade_modal,
)
from bot.domain.charge import ON_ITS_WAY
from bot.domain.errors import NotAllowedError, RefusalCode, StaleError
from bot.domain.subscription import Effect, PlanChange

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.domain.identity import Account
    from bot.domain.subscription import Subscription
    from handlers.call import Call


INTENT = "plan"
COMMAND = "subscription"


async def handle_subscription(call: Call) -> None:
    """Show the plan."""
    await call.open_loading(TITLE)
    await call.show(await _plan(call))


async def handle_tier(call: Call) -> None:
    """Preview the chosen plan: nothing is done before it is shown what would be done."""
    call.view_id, call.view_title, call.wanted = call.view["id"], TITLE, COMMAND
    tier_id = call.typed(ids.PLAN_TIER) or ""
    await call.become(loading_modal(TITLE, doing="Asking what would change…"), _preview(call, tier_id))


async def _preview(call: Call, tier_id: str) -> Json:
    call.runtime.permission.require_changes()
    subscription, state, connection = await call.runtime.billing.subscription(call.identity)
    _require_role(subscription)
    if subscription.tier(tier_id) is None:
        raise StaleError
    preview = await call.runtime.billing.preview_plan(call.identity, tier_id)
    match preview.effect:
        case Effect.SCHEDULED:
            intent = await _intent(call, connection.account, PlanChange.SCHEDULE, preview.target_id)
            return schedule_modal(preview, connection.account, intent=intent)
        case Effect.CHARGE_NOW:
            proposal = await call.runtime.purchases.propose_upgrade(
                call.identity, preview, subscription, charged_method(state)
            )
            return upgrade_modal(proposal.charge, preview)
        case Effect.NO_OP | Effect.BLOCKED:
            return blocked_modal(preview, subscription)


async def handle_cancel_plan(call: Call) -> None:
    """Ask before the plan is cancelled."""
    call.wanted = COMMAND
    await call.open_loading(TITLE)
    subscription, _, connection = await call.runtime.billing.subscription(call.identity)
    _require_role(subscription)
    if subscription.current is None or subscription.is_team:
        await call.show(await _plan(call))
    else:
        intent = await _intent(call, connection.account, PlanChange.CANCEL, None)
        await call.show(cancel_modal(subscription.current, connection.account, intent=intent))


async def handle_keep(call: Call) -> None:
    """Undo what is scheduled: it only puts things back, so it asks nothing."""
    call.wanted = COMMAND
    await call.open_loading(TITLE)
    await call.show(await _change(call, PlanChange.KEEP, None))


async def handle_change(call: Call) -> None:
    """Make the change that was shown, once, and not a quarter of an hour later."""
    call.view_id, call.view_title, call.wanted = call.view["id"], TITLE, COMMAND
    await call.become(loading_modal(TITLE, doing="Saving…"), _agreed(call))


async def _agreed(call: Call) -> Json:
    link = await call.runtime.accounts.link(call.identity)
    shown = await call.runtime.intents.take(call.identity, link.account, INTENT, call.metadata)
    if shown is None:
        raise StaleError
    change, tier_id = json.loads(shown)
    return await _change(call, PlanChange(change), tier_id)


async def _intent(call: Call, account: Account, change: PlanChange, tier_id: str | None) -> str:
    shown = json.dumps([change.value, tier_id])
    return await call.runtime.intents.put(call.identity, account, INTENT, shown)


async def handle_upgrade(call: Call) -> None:
    """Store the person's yes; the engine charges, once."""
    view = call.view
    call.view_id, call.view_hash, call.view_title = view["id"], view.get("hash"), TITLE
    charge = await call.runtime.purchases.confirm(
        call.identity, call.action.get("value") or "", view_id=view["id"]
    )
    await call.show(processing_modal(charge) if charge.state in ON_ITS_WAY else charge_modal(charge))


async def handle_back(call: Call) -> None:
    """Return to the plan; an upgrade that was proposed is turned down."""
    await call.open_loading(TITLE)
    charge_id = call.action.get("value")
    if charge_id:
        await call.runtime.purchases.cancel(call.identity, charge_id)
    await call.show(await _plan(call))


async def handle_upgrade_closed(call: Call) -> None:
    """Turn the proposal down: the person closed the confirmation."""
    await call.runtime.purchases.cancel(call.identity, call.metadata)


async def _change(call: Call, change: PlanChange, tier_id: str | None) -> Json:
    words = await call.runtime.billing.change_plan(call.identity, change, tier_id)
    return await _plan(call, note=words)


async def _plan(call: Call, *, note: str | None = None) -> Json:
    subscription, _, connection = await call.runtime.billing.subscription(call.identity)
    now = call.runtime.clock.now()
    return subscription_modal(subscription, connection.account, now, note=escape(note) if note else None)


def _require_role(subscription: Subscription) -> None:
    if not subscription.may_change_plan:
        raise NotAllowedError(RefusalCode.ROLE_REQUIRED, subscription.manage_url, role=subscription.role)


ACTIONS = {
    ids.PLAN_CANCEL: handle_cancel_plan,
    ids.PLAN_KEEP: handle_keep,
    ids.PLAN_BACK: handle_back,
    ids.PLAN_UPGRADE_VIEW: handle_upgrade,
}
SUBMISSIONS = {ids.PLAN_VIEW: handle_tier, ids.PLAN_CONFIRM_VIEW: handle_change}
CLOSINGS = {ids.PLAN_UPGRADE_VIEW: handle_upgrade_closed}
