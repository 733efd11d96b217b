"""`/billing subscription [PLAN | cancel]`: the plan; preview, schedule, cancel, keep, upgrade."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from blocks import ids
from blocks.charge import charge_modal
from blocks.kit import escape
from blocks.loading import loading_modal
from blocks.purchase import processing_modal
from blocks.subscription import (
    PREVIEWING,
    SAVING,
    TITLE,
    Then,
    blocked_modal,
    cancel_modal,
    charged_method,
    no_such_plan,
    same_plan,
    schedule_modal,
    subscription_modal,
    upgrade_modal,
)
from bot.domain.charge import ON_ITS_WAY
from bot.domain.errors import NotAllowedError, RefusalCode, StaleError
from bot.domain.subscription import Effect, PlanChange
from bot.services.purchases import BuyAgainError

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.domain.billing import BillingState
    from bot.domain.identity import Account, Connection
    from bot.domain.subscription import Subscription
    from handlers.context import Context

    Loaded: TypeAlias = tuple[Subscription, BillingState, Connection]

CONFIRMATION_KIND = "plan"
COMMAND = "subscription"
CANCEL = "cancel"


async def handle_subscription(context: Context) -> None:
    """Show the plan, the preview of the typed one, or the question whether to cancel."""
    context.wanted = context.wanted or COMMAND
    named = context.text
    if named.partition(" ")[0].lower() == CANCEL:
        await handle_cancel_plan(context)
        return
    await context.reply.open_modal(TITLE)
    await context.reply.show(await (_named(context, named) if named else _plan(context)))


async def _named(context: Context, name: str) -> Json:
    """Return the preview of the plan of that name, or the plans if there is none."""
    loaded = await context.runtime.billing.subscription(context.identity)
    subscription, _, _ = loaded
    if subscription.applying is not None:
        return await _plan(context, loaded)
    _require_role(subscription)
    current = subscription.current
    if current is not None and current.name.casefold() == name.casefold():
        return await _plan(context, loaded, note=same_plan(current.name))
    tier = subscription.named(name)
    if tier is None:
        return await _plan(context, loaded, note=no_such_plan(name))
    context.runtime.permission.require_changes(context.identity)
    return await _preview(context, loaded, tier.id)


async def handle_tier(context: Context) -> None:
    """Show a preview of the chosen plan; nothing is changed before the person confirms."""
    context.reply.in_submitted_modal(TITLE)
    context.wanted = COMMAND
    tier_id = context.request.entered(ids.PLAN_TIER) or ""
    await context.reply.become(loading_modal(TITLE, doing=PREVIEWING), _chosen(context, tier_id))


async def _chosen(context: Context, tier_id: str) -> Json:
    context.runtime.permission.require_changes(context.identity)
    return await _preview(context, await context.runtime.billing.subscription(context.identity), tier_id)


async def _preview(context: Context, loaded: Loaded, tier_id: str) -> Json:
    subscription, state, connection = loaded
    _require_role(subscription)
    if subscription.tier(tier_id) is None:
        raise StaleError
    preview = await context.runtime.billing.preview_plan(context.identity, tier_id)
    match preview.effect:
        case Effect.SCHEDULED:
            confirmation_id = await _store_confirmation(
                context, connection.account, PlanChange.SCHEDULE, preview.target_id
            )
            return schedule_modal(preview, connection.account, confirmation_id=confirmation_id)
        case Effect.CHARGE_NOW:
            proposal = await context.runtime.purchases.propose_upgrade(
                context.identity, preview, subscription, charged_method(state)
            )
            then = Then.of(subscription, preview.target_id)
            return upgrade_modal(proposal.charge, open_equal=proposal.open_equal, then=then)
        case Effect.NO_OP | Effect.BLOCKED:
            return blocked_modal(preview, subscription)


async def handle_cancel_plan(context: Context) -> None:
    """Ask for a confirmation to cancel the plan."""
    context.wanted = COMMAND
    await context.reply.open_modal(TITLE)
    loaded = await context.runtime.billing.subscription(context.identity)
    subscription, _, connection = loaded
    _require_role(subscription)
    current = subscription.current
    if current is None or current.cancels or subscription.is_team or subscription.applying is not None:
        await context.reply.show(await _plan(context, loaded))
    else:
        confirmation_id = await _store_confirmation(context, connection.account, PlanChange.CANCEL, None)
        await context.reply.show(cancel_modal(current, connection.account, confirmation_id=confirmation_id))


async def handle_keep(context: Context) -> None:
    """Undo the scheduled change; that needs no confirmation."""
    context.wanted = COMMAND
    await context.reply.open_modal(TITLE)
    await context.reply.show(await _change(context, PlanChange.KEEP, None))


async def handle_change(context: Context) -> None:
    """Make the confirmed change, once, within 15 minutes."""
    context.reply.in_submitted_modal(TITLE)
    context.wanted = COMMAND
    await context.reply.become(loading_modal(TITLE, doing=SAVING), _agreed(context))


async def _agreed(context: Context) -> Json:
    link = await context.runtime.accounts.link(context.identity)
    shown = await context.runtime.pending_confirmations.take(
        context.identity, link.account, CONFIRMATION_KIND, context.request.metadata
    )
    if shown is None:
        raise StaleError
    change, tier_id = json.loads(shown)
    return await _change(context, PlanChange(change), tier_id)


async def _store_confirmation(
    context: Context, account: Account, change: PlanChange, tier_id: str | None
) -> str:
    shown = json.dumps([change.value, tier_id])
    return await context.runtime.pending_confirmations.put(
        context.identity, account, CONFIRMATION_KIND, shown
    )


async def handle_upgrade(context: Context) -> None:
    """Store the person's confirmation; the engine then charges once."""
    context.reply.in_modal(TITLE)
    charge_id, _, warned_of = context.request.value.partition(" ")
    try:
        charge = await context.runtime.purchases.confirm(
            context.identity, charge_id, view_id=context.request.view.id, warned_of=warned_of or None
        )
    except BuyAgainError as error:
        await context.reply.show(upgrade_modal(error.charge, open_equal=error.other))
        return
    await context.reply.show(
        processing_modal(charge) if charge.state in ON_ITS_WAY else charge_modal(charge)
    )


async def handle_back(context: Context) -> None:
    """Return to the plan; cancel a proposed upgrade."""
    await context.reply.open_modal(TITLE)
    charge_id = context.request.value
    if charge_id:
        await context.runtime.purchases.cancel(context.identity, charge_id)
    await context.reply.show(await _plan(context))


async def handle_upgrade_closed(context: Context) -> None:
    """Cancel the proposal, because the person closed the confirmation."""
    await context.runtime.purchases.cancel(context.identity, context.request.metadata)


async def _change(context: Context, change: PlanChange, tier_id: str | None) -> Json:
    words = await context.runtime.billing.change_plan(context.identity, change, tier_id)
    return await _plan(context, note=words)


async def _plan(context: Context, loaded: Loaded | None = None, *, note: str | None = None) -> Json:
    """Return the plan; `loaded` is what the portal has just said of it."""
    subscription, _, connection = loaded or await context.runtime.billing.subscription(context.identity)
    due_today = await context.runtime.billing.due_today(context.identity, subscription)
    return subscription_modal(
        subscription,
        connection.account,
        context.runtime.clock.wall(),
        note=escape(note) if note else None,
        due_today=due_today,
    )


def _require_role(subscription: Subscription) -> None:
    if not subscription.may_change_plan:
        raise NotAllowedError(RefusalCode.ROLE_REQUIRED, subscription.manage_url, role=subscription.role)


ACTIONS = {
    ids.SHOW_PLAN: handle_subscription,
    ids.PLAN_CANCEL: handle_cancel_plan,
    ids.PLAN_KEEP: handle_keep,
    ids.PLAN_BACK: handle_back,
    ids.PLAN_UPGRADE_VIEW: handle_upgrade,
}
SUBMISSIONS = {ids.PLAN_VIEW: handle_tier, ids.PLAN_CONFIRM_VIEW: handle_change}
CLOSINGS = {ids.PLAN_UPGRADE_VIEW: handle_upgrade_closed}
