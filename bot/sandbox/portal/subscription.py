"""The subscription routes: the plan, a preview, changes at the end of the cycle, upgrades."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.billing import (
    idempotency_key,
    in_style_of,
    json_object,
    money_fault,
)
from bot.sandbox.portal.cycle import cycle_end
from bot.sandbox.portal.estate import UPGRADES_PER_DAY
from bot.sandbox.portal.gates import logged_in
from bot.sandbox.portal.ledger import Upgrade
from bot.sandbox.portal.pipeline import meet
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import ExactJSONResponse
from bot.sandbox.portal.world import TIERS, tier_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.scenarios import Outcome
    from bot.sandbox.portal.world import Organisation, Subscription, Tier

_FREE = TIERS[0]
_DAY_SECONDS = 86_400
_CENTS = 100
_TENTH = Decimal("0.1")
_RAIL = "stripe"
_GONE = object()
_TORN: dict[str, dict[str, object]] = {
    "free": {"tierId": _GONE},
    "super": {"name": None, "isCurrent": _GONE},
    "ultra": {"tierOrder": None},
    "founders": {"isEnabled": _GONE, "isCurrent": _GONE},
}
"""What becomes of the fields of each plan where the list of plans is torn."""


async def read_subscription(estate: Estate, request: Request) -> Response:
    """`GET /api/billing/subscription`: the plan and the plans there are, for a team too."""
    caller = logged_in(estate, request)
    organisation = caller.organisation
    answer: dict[str, object] = {
        "org": {
            "id": organisation.id,
            "name": organisation.name,
            "role": caller.person.role,
        },
        "context": organisation.context,
        "canChangePlan": caller.person.may_change_plan,
        "current": _current(organisation, estate.now()),
        "tiers": [_tier(tier, organisation) for tier in TIERS],
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
        "monthlyCreditsDelta": in_style_of(
            caller.organisation, target.monthly_credits - now_on.monthly_credits
        ),
    }
    if reason is not None:
        answer["reason"] = reason
    if effect == "charge_now":
        answer["amountDueNowCents"] = _cents(caller.organisation, target.price - now_on.price)
    if effect == "scheduled":
        answer["effectiveAt"] = cycle_end(estate.now())
    return ExactJSONResponse(answer)


async def schedule_change(estate: Estate, request: Request) -> Response:
    """`PUT /api/billing/subscription/pending-change`: a downgrade or the end; no charge."""
    caller = _planner(estate, request)
    caller.require_switch()
    body = await json_object(request)
    subscription = _subscribed(caller.organisation)
    answer: dict[str, object] = {"rail": _RAIL, "effectiveAt": cycle_end(estate.now())}
    if body.get("type") == "cancellation":
        subscription.cancels, subscription.pending_tier = True, None
        answer["message"] = "Your plan ends with the current billing period."
    elif body.get("type") == "tier_change":
        target = _lower(caller.organisation, _target(body, "subscription_mutation_rejected"))
        subscription.cancels, subscription.pending_tier = False, target.id
        answer["message"] = f"Your plan changes to {target.name} with the next billing period."
        answer["changeType"], answer["targetTierName"] = "downgrade", target.name
    else:
        raise _rejected("Say whether this is a tier_change or a cancellation.")
    return ExactJSONResponse({**answer, "cancelAtPeriodEnd": subscription.cancels})


async def undo_change(estate: Estate, request: Request) -> Response:
    """`DELETE /api/billing/subscription/pending-change`: keep the plan as it is.

    It takes no charge, but renews what was to end, so the switch for spending holds here too.
    """
    caller = _planner(estate, request)
    caller.require_switch()
    subscription = _subscribed(caller.organisation)
    if not subscription.cancels and subscription.pending_tier is None:
        raise _rejected("There is no scheduled change to undo.")
    subscription.cancels, subscription.pending_tier = False, None
    message = f"You keep {_tier_now(caller.organisation).name}."
    return ExactJSONResponse({"rail": _RAIL, "cancelAtPeriodEnd": False, "message": message})


async def upgrade(estate: Estate, request: Request) -> Response:
    """`POST /api/billing/subscription/upgrade`: charges the card at once."""
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    key = idempotency_key(request)
    target = _target(await json_object(request), "subscription_mutation_rejected")
    done = _done_before(estate, caller.organisation, key, target)
    if not done and target.id != _tier_paid_for(estate, caller.organisation).id:
        _check_upgrade(estate, caller, target)

    async def work() -> Response:
        return _upgrade(estate, caller, key, target)

    return await meet(estate, money_fault(estate, caller, key, caller.scenario), request, work)


def _planner(estate: Estate, request: Request) -> Caller:
    """Who may change plans. A preview spends nothing, so the kill-switch is not asked here."""
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_scope()
    return caller


def _upgrade(estate: Estate, caller: Caller, key: str, target: Tier) -> Response:
    organisation = caller.organisation
    if _done_before(estate, organisation, key, target):
        return _outcome("upgraded", target)
    if target.id == _tier_paid_for(estate, organisation).id:
        return _outcome("already_on_tier", target)
    fate = caller.scenario.outcome
    if fate is not None and fate.status == "failed":
        recovery = estate.public_url + _manage_path(organisation)
        status = caller.scenario.upgrade_status or _failed_status(fate)
        return _outcome(status, target, reason=str(fate.reason), recoveryUrl=recovery)
    now = estate.now()
    estate.ledger.upgrades.append(
        Upgrade(
            organisation=organisation.slug,
            person=caller.person.key,
            tier=target.id,
            idempotency_key=key,
            at=now,
            applies_at=now + caller.scenario.upgrade_after,
        )
    )
    estate.ledger.settle()
    return _outcome("upgraded", target)


def _failed_status(fate: Outcome) -> str:
    return "requires_action" if fate.reason == "authentication_required" else "payment_failed"


def _check_upgrade(estate: Estate, caller: Caller, target: Tier) -> None:
    now_on = _tier_paid_for(estate, caller.organisation)
    effect, reason = _effect(caller.organisation, now_on, target)
    if effect != "charge_now":
        raise _rejected(reason or "Only a larger plan can be bought here.")
    caller.require_card()
    caller.require_upgrade_today()
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
        return "blocked", "A team's plan is not changed here; top up the balance instead."
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


def _tier_paid_for(estate: Estate, organisation: Organisation) -> Tier:
    """The plan that the organization is on, or has paid for and does not see yet."""
    return tier_of(estate.ledger.tier_paid_for(organisation.slug)) or _tier_now(organisation)


def _cents(organisation: Organisation, price: Decimal) -> int | Decimal:
    cents = int(price * _CENTS)
    return Decimal(cents).quantize(_TENTH) if organisation.writes_numbers else cents


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
        "monthlyCredits": in_style_of(organisation, tier.monthly_credits),
        "cycleEndsAt": cycle_end(now),
        "cancelAtPeriodEnd": subscription.cancels,
    }
    if not organisation.hides_numbers:
        current["creditsRemaining"] = in_style_of(organisation, subscription.credits_remaining)
    pending = tier_of(subscription.pending_tier)
    if pending is not None:
        current["pendingDowngradeTierName"] = pending.name
        current["pendingDowngradeAt"] = cycle_end(now)
    if subscription.cancels:
        current["cancellationEffectiveAt"] = cycle_end(now)
    return current


def _tier(tier: Tier, organisation: Organisation) -> dict[str, object]:
    fields: dict[str, object] = {
        "tierId": tier.id,
        "name": tier.name,
        "tierOrder": tier.order,
        "dollarsPerMonthDisplay": in_style_of(organisation, tier.price),
        "monthlyCredits": in_style_of(organisation, tier.monthly_credits),
        "isCurrent": tier.id == _tier_now(organisation).id,
        "isEnabled": tier.is_enabled,
    }
    torn = _TORN.get(tier.id, {}) if organisation.has_torn_tiers else {}
    return {name: value for name, value in {**fields, **torn}.items() if value is not _GONE}
