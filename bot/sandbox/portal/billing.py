"""The billing routes around the balance: overview, charges, auto-reload."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.sandbox.portal.display import dollars
from bot.sandbox.portal.gates import logged_in
from bot.sandbox.portal.pipeline import meet
from bot.sandbox.portal.refusals import RefusalError, invalid
from bot.sandbox.portal.scenarios import SCENARIOS, scenario_of_charge
from bot.sandbox.portal.wire import (
    EXACT,
    ExactJSONResponse,
    decimal_string,
    iso_instant,
    load_json,
    money,
    whole_or_decimal,
)
from bot.sandbox.portal.world import AutoReload

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.scenarios import Outcome, Scenario
    from bot.sandbox.portal.world import Organisation

_CENT = Decimal("0.01")
_KEY_LIMIT = 255
_AUTO_RELOAD_KEYS = {"enabled", "threshold", "topUpAmount"}


async def read_state(estate: Estate, request: Request) -> Response:
    """`GET /api/billing/state`: the overview, thinner for people who may not change plans.

    `card` is the older, lossy view of `paymentMethod`: null for everything that is not a card.
    """
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
        "balanceUsd": in_style_of(organisation, organisation.balance),
        "cliBillingEnabled": organisation.cli_billing_enabled,
        "chargePresets": [in_style_of(organisation, Decimal(each)) for each in organisation.presets],
        "bounds": {
            "minUsd": in_style_of(organisation, organisation.minimum),
            "maxUsd": in_style_of(organisation, organisation.maximum),
        },
        "card": _card(organisation) if trusted else None,
        "monthlyCap": _cap(organisation) if trusted else None,
        "autoReload": auto_reload_of(organisation) if trusted else None,
    }
    if not organisation.is_older_server:
        state["canChangePlan"] = trusted
        state["paymentMethod"] = _payment_method(organisation) if trusted else None
    if organisation.portal_url is not None:
        state["portalUrl"] = organisation.portal_url
    return ExactJSONResponse(state)


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
        "amountUsd": in_style_of(caller.organisation, charge.amount),
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
    return ExactJSONResponse({"autoReload": auto_reload_of(caller.organisation)})


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


def in_style_of(organisation: Organisation, amount: Decimal) -> Decimal | str:
    """The amount as the organization's billing calls send it: a decimal string or a JSON number."""
    return money(amount, as_number=organisation.writes_numbers)


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
    if amount != amount.quantize(_CENT, context=EXACT):
        raise invalid("An amount has at most two decimals.")
    return amount


def _check_cap(estate: Estate, organisation: Organisation, amount: Decimal) -> None:
    left = estate.ledger.left_of_cap(organisation)
    if left is not None and amount > left:
        cap = organisation.cap
        raise RefusalError.of(
            "monthly_cap_exceeded",
            message=f"This would go over the monthly limit: {dollars(left)} is left.",
            remainingUsd=in_style_of(organisation, left),
            isDefaultCeiling=cap is not None and cap.is_default_ceiling,
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
    """Judge amounts that are to be used; a stored oddity must not prevent disabling."""
    least, most = organisation.minimum, organisation.maximum
    if not least <= threshold <= most or not least <= reload_to <= most:
        between = f"${decimal_string(least)} and ${decimal_string(most)}"
        raise RefusalError(400, "amount_out_of_bounds", f"Enter amounts between {between}.")
    if any(amount != amount.quantize(_CENT, context=EXACT) for amount in (threshold, reload_to)):
        raise invalid("An amount has at most two decimals.")
    if reload_to <= threshold:
        raise invalid("The amount to reload to must be above the threshold.")


def auto_reload_of(organisation: Organisation) -> dict[str, object] | None:
    """`autoReload`, None where it was never set up."""
    auto_reload = organisation.auto_reload
    if auto_reload is None:
        return None
    card = auto_reload.card
    facts = {"paymentMethodId": card.payment_method_id, "brand": card.brand, "last4": card.last4}
    return {
        "enabled": auto_reload.enabled,
        "thresholdUsd": in_style_of(organisation, auto_reload.threshold),
        "reloadToUsd": in_style_of(organisation, auto_reload.reload_to),
        "card": {"kind": card.kind, **_known(facts)},
    }


def _card(organisation: Organisation) -> dict[str, object] | None:
    card = organisation.card
    if card is None:
        return None
    return {"brand": card.brand, "last4": card.last4, **_known({"resolvedVia": card.resolved_via})}


def _payment_method(organisation: Organisation) -> dict[str, object] | None:
    card, other = organisation.card, organisation.other_method
    if card is not None:
        facts = {"wallet": card.wallet, "resolvedVia": card.resolved_via}
        return {"kind": "card", "brand": card.brand, "last4": card.last4, **_known(facts)}
    if other is not None:
        facts = {"email": other.email, "resolvedVia": other.resolved_via}
        return {"kind": other.kind, **_known(facts)}
    return None


def _cap(organisation: Organisation) -> dict[str, object] | None:
    cap = organisation.cap
    if cap is None:
        return None
    return {
        "limitUsd": in_style_of(organisation, cap.limit),
        "spentThisMonthUsd": in_style_of(organisation, cap.spent),
        "isDefaultCeiling": cap.is_default_ceiling,
    }


def _known(facts: dict[str, str | None]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}
