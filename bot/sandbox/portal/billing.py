"""The billing routes around the balance: overview, charges, auto-reload, account."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.sandbox.portal.gates import identified, logged_in
from bot.sandbox.portal.pipeline import meet
from bot.sandbox.portal.refusals import RefusalError, invalid
from bot.sandbox.portal.scenarios import SCENARIOS, scenario_of_charge
from bot.sandbox.portal.wire import (
    ExactJSONResponse,
    decimal_string,
    iso_instant,
    load_json,
    whole_or_decimal,
)
from bot.sandbox.portal.world import AutoReload, tier_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.scenarios import Outcome, Scenario
    from bot.sandbox.portal.world import Card, MonthlyCap, Organisation

_CENT = Decimal("0.01")
_KEY_LIMIT = 255
_AUTO_RELOAD_KEYS = {"enabled", "threshold", "topUpAmount"}


async def read_state(estate: Estate, request: Request) -> Response:
    """`GET /api/billing/state`: the overview, thinner for who may not change plans."""
    caller = logged_in(estate, request)
    organisation = caller.organisation
    trusted = caller.person.may_change_plan
    state: dict[str, object] = {
        "org": {
            "id": organisation.id,
            "slug": organisation.slug,
            "name": organisation.name,
            "role": caller.person.role,
        },
        "balanceUsd": decimal_string(organisation.balance),
        "cliBillingEnabled": organisation.cli_billing_enabled,
        **capability(caller),
        "chargePresets": list(organisation.presets),
        "bounds": {
            "minUsd": decimal_string(organisation.minimum),
            "maxUsd": decimal_string(organisation.maximum),
        },
        "card": _card(organisation.card) if trusted else None,
        "monthlyCap": _cap(organisation.cap) if trusted else None,
        "autoReload": _auto_reload(organisation.auto_reload) if trusted else None,
    }
    if organisation.portal_url is not None:
        state["portalUrl"] = organisation.portal_url
    return ExactJSONResponse(state)


async def read_account(estate: Estate, request: Request) -> Response:
    """`GET /api/oauth/account`: who is signed in, the plan, what is left; JSON numbers."""
    caller = identified(estate, request)
    caller.require_session()
    organisation = caller.organisation
    return ExactJSONResponse(
        {
            "user": {"email": caller.person.email, "privy_did": caller.person.account},
            "organisation": {
                "id": organisation.id,
                "slug": organisation.slug,
                "name": organisation.name,
            },
            "subscription": _plan(organisation, estate.now()),
            "paid_service_access": _access(organisation, estate.now()),
        }
    )


async def post_charge(estate: Estate, request: Request) -> Response:
    """`POST /api/billing/charge`: 202 and a charge id; the money is not confirmed yet.

    Permissions are judged before the body is looked at, and a key that stands for a charge is
    answered from the store before card, cap and limit: a repeated question is no new charge.
    """
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    key = idempotency_key(request)
    amount = _amount(await json_object(request), caller.organisation)
    if estate.ledger.made_before(caller.organisation.slug, key, amount) is None:
        caller.require_card()
        _check_cap(estate, caller.organisation, amount)
        estate.ledger.check_hourly_limit(
            caller.organisation.slug, caller.token.text, estate.charge_rate_limit
        )
    scenario = scenario_of_charge(caller.organisation, amount)

    async def charge() -> Response:
        return _charge(estate, caller, key, amount, scenario.outcome)

    return await meet(estate, money_fault(estate, caller, key, scenario), request, charge)


async def read_charge(estate: Estate, request: Request) -> Response:
    """`GET /api/billing/charge/{id}`: the ledger's truth; an unknown id is pending for ever."""
    caller = logged_in(estate, request)
    caller.require_scope()
    charge = estate.ledger.find(request.path_params["charge_id"], caller.organisation.slug)
    if charge is None:
        return ExactJSONResponse({"status": "pending"})
    answer: dict[str, object] = {
        "status": charge.status,
        "amountUsd": decimal_string(charge.amount),
    }
    if charge.status == "settled" and charge.settle_at is not None:
        answer["settledAt"] = iso_instant(charge.settle_at)
    if charge.status == "failed":
        answer["reason"] = charge.reason
    return ExactJSONResponse(answer)


async def change_auto_reload(estate: Estate, request: Request) -> Response:
    """`PATCH /api/billing/auto-top-up`: exactly three keys, both amounts even to disable."""
    caller = logged_in(estate, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    wanted = _wanted_auto_reload(await json_object(request), caller.organisation)
    if wanted.enabled:
        caller.require_card()
        caller.require_unbroken_auto_reload()
    if caller.organisation.auto_reload is not None:
        wanted.card = caller.organisation.auto_reload.card
    caller.organisation.auto_reload = wanted
    return ExactJSONResponse({"autoReload": _auto_reload(wanted)})


def idempotency_key(request: Request) -> str:
    """The `Idempotency-Key` header.

    Raises:
        RefusalError: It is missing, blank or too long.
    """
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        raise invalid("The Idempotency-Key header is missing.", code="idempotency_key_required")
    if len(key) > _KEY_LIMIT:
        raise invalid(f"An idempotency key has at most {_KEY_LIMIT} characters.")
    return key


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, fractions as `Decimal`.

    Raises:
        RefusalError: It is something else.
    """
    try:
        body = load_json(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


def money_fault(estate: Estate, caller: Caller, key: str, scenario: Scenario) -> Fault | None:
    """What goes wrong with this try to spend under this key."""
    fault = scenario.charge
    if fault is None or not fault.first_try_only:
        return fault
    return fault if estate.first_time(caller.organisation.slug, key) else None


def capability(caller: Caller) -> dict[str, object]:
    """`canChangePlan`, where the portal knows better than the role."""
    known = caller.person.can_change_plan
    return {} if known is None else {"canChangePlan": known}


def cycle_end(now: float) -> str:
    """The first moment of next month, ISO 8601: when plans renew and pending changes happen."""
    year, month = int(iso_instant(now)[:4]), int(iso_instant(now)[5:7])
    following = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 December
    return "{:04d}-{:02d}-01T00:00:00.000Z".format(*following)


def _charge(estate: Estate, caller: Caller, key: str, amount: Decimal, fate: Outcome | None) -> Response:
    slug = caller.organisation.slug
    charge = estate.ledger.made_before(slug, key, amount)
    if charge is None:
        outcome = fate or SCENARIOS["settles"].outcome
        assert outcome is not None  # noqa: S101 that row has one
        charge = estate.ledger.make(slug, caller.person.key, amount, key, caller.token.text, outcome)
    return ExactJSONResponse({"chargeId": charge.id}, 202)


def _amount(body: dict[str, Any], organisation: Organisation) -> Decimal:
    amount = whole_or_decimal(body.get("amountUsd"))
    if amount is None:
        raise invalid("amountUsd must be a number.")
    if not organisation.minimum <= amount <= organisation.maximum:
        least, most = decimal_string(organisation.minimum), decimal_string(organisation.maximum)
        raise RefusalError(400, "amount_out_of_bounds", f"Enter an amount between ${least} and ${most}.")
    if amount != amount.quantize(_CENT):
        raise invalid("An amount has at most two decimals.")
    return amount


def _check_cap(estate: Estate, organisation: Organisation, amount: Decimal) -> None:
    left = estate.ledger.left_of_cap(organisation)
    if left is not None and amount > left:
        shown = decimal_string(left)
        raise RefusalError.of(
            "monthly_cap_exceeded",
            message=f"This would go over the monthly limit: ${shown} is left.",
            remainingUsd=shown,
        )


def _wanted_auto_reload(body: dict[str, Any], organisation: Organisation) -> AutoReload:
    if set(body) != _AUTO_RELOAD_KEYS:
        raise invalid("Send exactly enabled, threshold and topUpAmount.")
    enabled = body["enabled"]
    threshold, reload_to = whole_or_decimal(body["threshold"]), whole_or_decimal(body["topUpAmount"])
    if not isinstance(enabled, bool) or threshold is None or reload_to is None:
        raise invalid("enabled must be true or false, threshold and topUpAmount numbers.")
    if enabled:
        _check_auto_reload(threshold, reload_to, organisation)
    return AutoReload(enabled=enabled, threshold=threshold, reload_to=reload_to)


def _check_auto_reload(threshold: Decimal, reload_to: Decimal, organisation: Organisation) -> None:
    """Judge amounts that are to be used; a stored oddity must not stop anybody from disabling."""
    least, most = organisation.minimum, organisation.maximum
    if not least <= threshold <= most or not least <= reload_to <= most:
        between = f"${decimal_string(least)} and ${decimal_string(most)}"
        raise RefusalError(400, "amount_out_of_bounds", f"Enter amounts between {between}.")
    if any(amount != amount.quantize(_CENT) for amount in (threshold, reload_to)):
        raise invalid("An amount has at most two decimals.")
    if reload_to <= threshold:
        raise invalid("The amount to reload to must be above the threshold.")


def _card(card: Card | None) -> dict[str, object] | None:
    if card is None:
        return None
    shown: dict[str, object] = {"brand": card.brand, "last4": card.last4}
    return shown if card.resolved_via is None else {**shown, "resolvedVia": card.resolved_via}


def _cap(cap: MonthlyCap | None) -> dict[str, object] | None:
    if cap is None:
        return None
    return {
        "limitUsd": decimal_string(cap.limit),
        "spentThisMonthUsd": decimal_string(cap.spent),
        "isDefaultCeiling": cap.is_default_ceiling,
    }


def _auto_reload(auto_reload: AutoReload | None) -> dict[str, object] | None:
    if auto_reload is None:
        return None
    card = auto_reload.card
    facts = {"paymentMethodId": card.payment_method_id, "brand": card.brand, "last4": card.last4}
    return {
        "enabled": auto_reload.enabled,
        "thresholdUsd": decimal_string(auto_reload.threshold),
        "reloadToUsd": decimal_string(auto_reload.reload_to),
        "card": {"kind": card.kind, **{k: v for k, v in facts.items() if v is not None}},
    }


def _plan(organisation: Organisation, now: float) -> dict[str, object] | None:
    subscription = organisation.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    if subscription is None or tier is None:
        return None
    return {
        "plan": tier.name,
        "tier": tier.order,
        "monthly_charge": tier.price,
        "monthly_credits": tier.monthly_credits,
        "current_period_end": cycle_end(now),
        "credits_remaining": subscription.credits_remaining,
        "rollover_credits": subscription.rollover,
    }


def _access(organisation: Organisation, now: float) -> dict[str, object]:
    subscription = organisation.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    included = Decimal(0) if subscription is None else subscription.credits_remaining
    total = max(Decimal(0), included) + organisation.balance
    return {
        "allowed": total > 0,
        "paid_access": total > 0,
        "reason": None if total > 0 else "no_usable_credits",
        "organisation_id": organisation.id,
        "effective_at_ms": int(now * 1000),
        "has_active_subscription": tier is not None,
        "active_subscription_is_paid": tier is not None and tier.price > 0,
        "subscription_tier": None if tier is None else tier.order,
        "subscription_monthly_charge": None if tier is None else tier.price,
        "subscription_credits_remaining": included,
        "purchased_credits_remaining": organisation.balance,
        "total_usable_credits": total,
    }
