"""The subscription routes: the plan, a preview, changes at the end of the cycle, upgrades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.portal.billing import (
    capability,
    cycle_end,
    idempotency_key,
    json_object,
    money_fault,
)
from bot.sandbox.portal.estate import UPGRADES_PER_DAY
from bot.sandbox.portal.gates import logged_in
from bot.sandbox.portal.ledger import Upgrade
from bot.sandbox.portal.pipeline import meet
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.scenarios import SCENARIOS
from bot.sandbox.portal.wire import ExactJSONResponse, decimal_string
from bot.sandbox.portal.world import TIERS, tier_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.world import Organisation, Subscription, Tier

_FREE = TIERS[0]
_DAY_SECONDS = 86_400
_CENTS = 100


async def read_subscription(estate: Estate, request: Request) -> Response:
    """`GET /api/billing/subscription`: the plan and the plans there are; a team has neither."""
    caller = logged_in(estate, request)
    organisation = caller.organisation
    team = organisation.context == "team"
    answer: dict[str, object] = {
        "org": {
            "id": organisation.id,
            "name": organisation.name,
            "role": caller.person.role,
        },
        "context": organisation.context,
        **capability(caller),
        "current": None if team else _current(organisation, estate.now()),
        "tiers": [] if team else [_tier(tier, _tier_now(organisation)) for tier in TIERS],
        "portalUrl": _manage_path(organisation),
    }
    return ExactJSONResponse(answer)


async def preview_change(estate: Estate, request: Request) -> Response:
    """`POST /api/billing/subscription/preview`: what a change would do; nothing is done."""
    caller = _planner(estate, request)
    target = _target(await json_object(request), "preview_rejected")
    now_on = _tier_now(caller.organisation)
    effect, reason = _effect(caller.organisation, now_on, target)
    answer: dict[str, object] = {
        "effect": effect,
        "currentTierId": now_on.id,
        "currentTierName": now_on.name,
        "targetTierId": target.id,
        "targetTierName": target.name,
        "monthlyCreditsDelta": decimal_string(target.monthly_credits - now_on.monthly_credits),
    }
    if reason is not None:
        answer["reason"] = reason
    if effect == "charge_now":
        answer["amountDueNowCents"] = int((target.price - now_on.price) * _CENTS)
    if effect == "scheduled":
        answer["effectiveAt"] = cycle_end(estate.now())
    return ExactJSONResponse(answer)


async def schedule_change(estate: Estate, request: Request) -> Response:
    """`PUT /api/billing/subscription/pending-change`: a downgrade or the end; no charge."""
    caller = _planner(estate, request)
    body = await json_object(request)
    subscription = _subscribed(caller.organisation)
    if body.get("type") == "cancellation":
        subscription.cancels, subscription.pending_tier = True, None
        message = "Your plan ends with the current billing period."
    elif body.get("type") == "tier_change":
        target = _lower(caller.organisation, _target(body, "subscription_mutation_rejected"))
        subscription.cancels, subscription.pending_tier = False, target.id
        message = f"Your plan changes to {target.name} with the next billing period."
    else:
        raise _rejected("Say whether this is a tier_change or a cancellation.")
    return ExactJSONResponse({"message": message, "effectiveAt": cycle_end(estate.now())})


async def undo_change(estate: Estate, request: Request) -> Response:
    """`DELETE /api/billing/subscription/pending-change`: keep the plan as it is."""
    caller = _planner(estate, request)
    subscription = _subscribed(caller.organisation)
    if not subscription.cancels and subscription.pending_tier is None:
        raise _rejected("There is no scheduled change to undo.")
    subscription.cancels, subscription.pending_tier = False, None
    return ExactJSONResponse({"message": f"You keep {_tier_now(caller.organisation).name}."})


async def upgrade(estate: Estate, request: Request) -> Response:
    """`POST /api/billing/subscription/upgrade`: charges the card at once."""
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    key = idempotency_key(request)
    target = _target(await json_object(request), "subscription_mutation_rejected")
    done = _done_before(estate, caller.organisation, key, target)
    if not done and target.id != _tier_now(caller.organisation).id:
        _check_upgrade(estate, caller, target)

    async def work() -> Response:
        return _upgrade(estate, caller, key, target)

    scenario = SCENARIOS[caller.organisation.scenario]
    return await meet(estate, money_fault(estate, caller, key, scenario), request, work)


def _planner(estate: Estate, request: Request) -> Caller:
    """Who may change plans without spending: the kill-switch is about spending only."""
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_scope()
    return caller


def _upgrade(estate: Estate, caller: Caller, key: str, target: Tier) -> Response:
    organisation = caller.organisation
    if _done_before(estate, organisation, key, target):
        return _outcome("upgraded", target)
    now_on = _tier_now(organisation)
    if target.id == now_on.id:
        return _outcome("already_on_tier", target)
    fate = SCENARIOS[organisation.scenario].outcome
    if fate is not None and fate.status == "failed":
        status = "requires_action" if fate.reason == "authentication_required" else "payment_failed"
        recovery = estate.public_url + _manage_path(organisation)
        return _outcome(status, target, reason=str(fate.reason), recoveryUrl=recovery)
    subscription = _subscribed(organisation)
    subscription.credits_remaining += target.monthly_credits - now_on.monthly_credits
    subscription.tier, subscription.pending_tier, subscription.cancels = target.id, None, False
    estate.ledger.upgrades.append(
        Upgrade(
            organisation=organisation.slug,
            person=caller.person.key,
            tier=target.id,
            idempotency_key=key,
            at=estate.now(),
        )
    )
    return _outcome("upgraded", target)


def _check_upgrade(estate: Estate, caller: Caller, target: Tier) -> None:
    effect, reason = _effect(caller.organisation, _tier_now(caller.organisation), target)
    if effect != "charge_now":
        raise _rejected(reason or "Only a larger plan can be bought here.")
    caller.require_card()
    since = estate.now() - _DAY_SECONDS
    slug = caller.organisation.slug
    recent = [one for one in estate.upgrades if one.organisation == slug and one.at > since]
    if len(recent) >= UPGRADES_PER_DAY:
        raise RefusalError.of("upgrade_cap_exceeded")


def _done_before(estate: Estate, organisation: Organisation, key: str, target: Tier) -> bool:
    for earlier in estate.upgrades:
        if (earlier.organisation, earlier.idempotency_key) == (organisation.slug, key):
            if earlier.tier != target.id:
                raise RefusalError.of("idempotency_conflict")
            return True
    return False


def _effect(organisation: Organisation, now_on: Tier, target: Tier) -> tuple[str, str | None]:
    if organisation.context == "team":
        return "blocked", "A team has no plan of its own; top up the balance instead."
    if organisation.subscription is None:
        return "blocked", "Start your first plan on the portal."
    if not target.is_enabled:
        return "blocked", f"{target.name} is no longer offered."
    if target.id == now_on.id:
        return "no_op", None
    return ("charge_now" if target.order > now_on.order else "scheduled"), None


def _lower(organisation: Organisation, target: Tier) -> Tier:
    effect, reason = _effect(organisation, _tier_now(organisation), target)
    if effect != "scheduled":
        raise _rejected(reason or "Only a smaller plan can be scheduled; upgrades are bought.")
    return target


def _target(body: dict[str, object], error: str) -> Tier:
    tier = tier_of(body.get("subscriptionTypeId"))
    if tier is None:
        raise RefusalError(400, error, "There is no such plan.")
    return tier


def _subscribed(organisation: Organisation) -> Subscription:
    if organisation.subscription is None or organisation.context == "team":
        raise _rejected("There is no plan to change. Start one on the portal.")
    return organisation.subscription


def _rejected(message: str) -> RefusalError:
    return RefusalError(400, "subscription_mutation_rejected", message)


def _outcome(status: str, target: Tier, **facts: str) -> Response:
    return ExactJSONResponse({"status": status, "targetTierName": target.name, **facts})


def _tier_now(organisation: Organisation) -> Tier:
    subscription = organisation.subscription
    return (tier_of(subscription.tier) if subscription is not None else None) or _FREE


def _manage_path(organisation: Organisation) -> str:
    return f"/manage-subscription?org_id={organisation.id}"


def _current(organisation: Organisation, now: float) -> dict[str, object] | None:
    subscription = organisation.subscription
    if subscription is None:
        return None
    tier = _tier_now(organisation)
    current: dict[str, object] = {
        "tierId": tier.id,
        "tierName": tier.name,
        "monthlyCredits": decimal_string(tier.monthly_credits),
        "creditsRemaining": decimal_string(subscription.credits_remaining),
        "cycleEndsAt": cycle_end(now),
        "cancelAtPeriodEnd": subscription.cancels,
    }
    pending = tier_of(subscription.pending_tier)
    if pending is not None:
        current["pendingDowngradeTierName"] = pending.name
        current["pendingDowngradeAt"] = cycle_end(now)
    if subscription.cancels:
        current["cancellationEffectiveAt"] = cycle_end(now)
    return current


def _tier(tier: Tier, now_on: Tier) -> dict[str, object]:
    return {
        "tierId": tier.id,
        "name": tier.name,
        "tierOrder": tier.order,
        "dollarsPerMonthDisplay": decimal_string(tier.price),
        "monthlyCredits": decimal_string(tier.monthly_credits),
        "isCurrent": tier.id == now_on.id,
        "isEnabled": tier.is_enabled,
    }
