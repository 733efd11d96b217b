"""The subscription routes: the plan, previews, scheduled changes, upgrades."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.accounts import UPGRADES_PER_DAY
from bot.sandbox.portal.billing import (
    billing_amount,
    idempotency_key,
    json_object,
    money_fault,
)
from bot.sandbox.portal.cycle import cycle_end
from bot.sandbox.portal.gates import logged_in
from bot.sandbox.portal.ledger import Upgrade
from bot.sandbox.portal.models import TIERS, tier_of
from bot.sandbox.portal.pipeline import respond_with_fault
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import ExactJSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.models import Organization, Subscription, Tier
    from bot.sandbox.portal.scenario import Outcome

_FREE = TIERS[0]
_DAY_SECONDS = 86_400
_CENTS = 100
_TENTH = Decimal("0.1")
_RAIL = "stripe"
_ABSENT = object()
_INCOMPLETE_FIELDS: dict[str, dict[str, object]] = {
    "free": {"tierId": _ABSENT},
    "super": {"name": None, "isCurrent": _ABSENT},
    "ultra": {"tierOrder": None},
    "founders": {"isEnabled": _ABSENT, "isCurrent": _ABSENT},
}
"""The changed fields of each plan in an incomplete list of plans."""


async def read_subscription(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /api/billing/subscription` with the current plan and all plans, also for a team."""
    caller = logged_in(accounts, request)
    organization = caller.organization
    answer: dict[str, object] = {
        "org": {
            "id": organization.id,
            "name": organization.name,
            "role": caller.person.role,
        },
        "context": organization.context,
        "canChangePlan": caller.person.may_change_plan,
        "current": _current(organization, accounts.now()),
        "tiers": [_tier(tier, organization) for tier in TIERS],
        "portalUrl": _manage_path(organization),
    }
    return ExactJSONResponse(answer)


async def preview_change(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /api/billing/subscription/preview` with the effect of a change. Change nothing."""
    caller = _plan_manager(accounts, request)
    target = _target(await json_object(request), "preview_rejected")
    current = _tier_now(caller.organization)
    effect, reason = _effect(caller.organization, current, target)
    answer: dict[str, object] = {
        "effect": effect,
        "currentTierId": current.id,
        "currentTierName": current.name,
        "targetTierId": target.id,
        "targetTierName": target.name,
        "monthlyCreditsDelta": billing_amount(
            caller.organization, target.monthly_credits - current.monthly_credits
        ),
    }
    if reason is not None:
        answer["reason"] = reason
    if effect == "charge_now":
        answer["amountDueNowCents"] = _cents(caller.organization, target.price - current.price)
    if effect == "scheduled":
        answer["effectiveAt"] = cycle_end(accounts.now())
    return ExactJSONResponse(answer)


async def schedule_change(accounts: Accounts, request: Request) -> Response:
    """Answer `PUT /api/billing/subscription/pending-change`: schedule a downgrade or a cancellation."""
    caller = _plan_manager(accounts, request)
    caller.require_switch()
    body = await json_object(request)
    subscription = _subscribed(caller.organization)
    answer: dict[str, object] = {"rail": _RAIL, "effectiveAt": cycle_end(accounts.now())}
    if body.get("type") == "cancellation":
        subscription.cancels, subscription.pending_tier = True, None
        answer["message"] = "Your plan ends with the current billing period."
    elif body.get("type") == "tier_change":
        target = _lower(caller.organization, _target(body, "subscription_mutation_rejected"))
        subscription.cancels, subscription.pending_tier = False, target.id
        answer["message"] = f"Your plan changes to {target.name} with the next billing period."
        answer["changeType"], answer["targetTierName"] = "downgrade", target.name
    else:
        raise _rejected("Say whether this is a tier_change or a cancellation.")
    return ExactJSONResponse({**answer, "cancelAtPeriodEnd": subscription.cancels})


async def undo_change(accounts: Accounts, request: Request) -> Response:
    """Answer `DELETE /api/billing/subscription/pending-change`: remove the scheduled change.

    The call requires the spending switch, because the plan renews after a removed cancellation.
    """
    caller = _plan_manager(accounts, request)
    caller.require_switch()
    subscription = _subscribed(caller.organization)
    if not subscription.cancels and subscription.pending_tier is None:
        raise _rejected("There is no scheduled change to undo.")
    subscription.cancels, subscription.pending_tier = False, None
    message = f"You keep {_tier_now(caller.organization).name}."
    return ExactJSONResponse({"rail": _RAIL, "cancelAtPeriodEnd": False, "message": message})


async def upgrade(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /api/billing/subscription/upgrade`: charge the card at once."""
    caller = logged_in(accounts, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    key = idempotency_key(request)
    target = _target(await json_object(request), "subscription_mutation_rejected")
    done = _done_before(accounts, caller.organization, key, target)
    if not done and target.id != _tier_paid_for(accounts, caller.organization).id:
        _check_upgrade(accounts, caller, target)

    async def work() -> Response:
        return _upgrade(accounts, caller, key, target)

    return await respond_with_fault(
        accounts, money_fault(accounts, caller, key, caller.scenario), request, work
    )


def _plan_manager(accounts: Accounts, request: Request) -> Caller:
    """Return a caller who may change plans. The kill-switch is not checked, as a preview costs nothing."""
    caller = logged_in(accounts, request)
    caller.require_role()
    caller.require_scope()
    return caller


def _upgrade(accounts: Accounts, caller: Caller, key: str, target: Tier) -> Response:
    organization = caller.organization
    if _done_before(accounts, organization, key, target):
        return _outcome("upgraded", target)
    if target.id == _tier_paid_for(accounts, organization).id:
        return _outcome("already_on_tier", target)
    outcome = caller.scenario.outcome
    if outcome is not None and outcome.status == "failed":
        recovery = accounts.public_url + _manage_path(organization)
        status = caller.scenario.upgrade_status or _failed_status(outcome)
        return _outcome(status, target, reason=str(outcome.reason), recoveryUrl=recovery)
    now = accounts.now()
    accounts.ledger.upgrades.append(
        Upgrade(
            organization=organization.slug,
            person=caller.person.key,
            tier=target.id,
            idempotency_key=key,
            at=now,
            applies_at=now + caller.scenario.upgrade_after,
        )
    )
    accounts.ledger.settle()
    return _outcome("upgraded", target)


def _failed_status(outcome: Outcome) -> str:
    return "requires_action" if outcome.reason == "authentication_required" else "payment_failed"


def _check_upgrade(accounts: Accounts, caller: Caller, target: Tier) -> None:
    current = _tier_paid_for(accounts, caller.organization)
    effect, reason = _effect(caller.organization, current, target)
    if effect != "charge_now":
        raise _rejected(reason or "Only a larger plan can be bought here.")
    caller.require_card()
    caller.require_upgrade_today()
    since = accounts.now() - _DAY_SECONDS
    slug = caller.organization.slug
    recent = [one for one in accounts.upgrades if one.organization == slug and one.at > since]
    if len(recent) >= UPGRADES_PER_DAY:
        raise RefusalError.of("upgrade_cap_exceeded")


def _done_before(accounts: Accounts, organization: Organization, key: str, target: Tier) -> bool:
    for earlier in accounts.upgrades:
        if (earlier.organization, earlier.idempotency_key) == (organization.slug, key):
            if earlier.tier != target.id:
                raise RefusalError.of("idempotency_conflict")
            return True
    return False


def _effect(organization: Organization, current: Tier, target: Tier) -> tuple[str, str | None]:
    if organization.context == "team":
        return "blocked", "A team's plan is not changed here; top up the balance instead."
    if organization.subscription is None:
        return "blocked", "Start your first plan on the portal."
    if not target.is_enabled:
        return "blocked", f"{target.name} is no longer offered."
    if target.id == current.id:
        return "no_op", None
    return ("charge_now" if target.order > current.order else "scheduled"), None


def _lower(organization: Organization, target: Tier) -> Tier:
    effect, reason = _effect(organization, _tier_now(organization), target)
    if effect != "scheduled":
        raise _rejected(reason or "Only a smaller plan can be scheduled; upgrades are bought.")
    return target


def _target(body: dict[str, object], error: str) -> Tier:
    tier = tier_of(body.get("subscriptionTypeId"))
    if tier is None:
        raise RefusalError(400, error, "There is no such plan.")
    return tier


def _subscribed(organization: Organization) -> Subscription:
    if organization.subscription is None or organization.context == "team":
        raise _rejected("There is no plan to change. Start one on the portal.")
    return organization.subscription


def _rejected(message: str) -> RefusalError:
    return RefusalError(400, "subscription_mutation_rejected", message)


def _outcome(status: str, target: Tier, **facts: str) -> Response:
    return ExactJSONResponse({"status": status, "targetTierName": target.name, **facts})


def _tier_now(organization: Organization) -> Tier:
    subscription = organization.subscription
    return (tier_of(subscription.tier) if subscription is not None else None) or _FREE


def _tier_paid_for(accounts: Accounts, organization: Organization) -> Tier:
    """Return the plan of the newest paid upgrade, or the current plan when no upgrade is pending."""
    return tier_of(accounts.ledger.tier_paid_for(organization.slug)) or _tier_now(organization)


def _cents(organization: Organization, price: Decimal) -> int | Decimal:
    cents = int(price * _CENTS)
    return Decimal(cents).quantize(_TENTH) if organization.writes_numbers else cents


def _manage_path(organization: Organization) -> str:
    return f"/manage-subscription?org_id={organization.id}"


def _current(organization: Organization, now: float) -> dict[str, object] | None:
    subscription = organization.subscription
    if subscription is None:
        return None
    tier = _tier_now(organization)
    current: dict[str, object] = {
        "tierId": tier.id,
        "tierName": tier.name,
        "monthlyCredits": billing_amount(organization, tier.monthly_credits),
        "cycleEndsAt": cycle_end(now),
        "cancelAtPeriodEnd": subscription.cancels,
    }
    if not organization.hides_numbers:
        current["creditsRemaining"] = billing_amount(organization, subscription.credits_remaining)
    pending = tier_of(subscription.pending_tier)
    if pending is not None:
        current["pendingDowngradeTierName"] = pending.name
        current["pendingDowngradeAt"] = cycle_end(now)
    if subscription.cancels:
        current["cancellationEffectiveAt"] = cycle_end(now)
    return current


def _tier(tier: Tier, organization: Organization) -> dict[str, object]:
    fields: dict[str, object] = {
        "tierId": tier.id,
        "name": tier.name,
        "tierOrder": tier.order,
        "dollarsPerMonthDisplay": billing_amount(organization, tier.price),
        "monthlyCredits": billing_amount(organization, tier.monthly_credits),
        "isCurrent": tier.id == _tier_now(organization).id,
        "isEnabled": tier.is_enabled,
    }
    changes = _INCOMPLETE_FIELDS.get(tier.id, {}) if organization.has_incomplete_tiers else {}
    return {name: value for name, value in {**fields, **changes}.items() if value is not _ABSENT}
