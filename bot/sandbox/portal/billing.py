"""The billing routes of the balance: overview, charges, auto-reload."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.sandbox.portal.display import dollars
from bot.sandbox.portal.gates import logged_in
from bot.sandbox.portal.models import AutoReload
from bot.sandbox.portal.pipeline import respond_with_fault
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

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.models import Organization
    from bot.sandbox.portal.scenario import Outcome, Scenario

_CENT = Decimal("0.01")
_KEY_LIMIT = 255
_AUTO_RELOAD_KEYS = {"enabled", "threshold", "topUpAmount"}


async def read_state(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /api/billing/state`, the overview.

    People who may not change plans get no payment details. `card` is the older form of
    `paymentMethod`. It is null for a payment method that is not a card.
    """
    caller = logged_in(accounts, request)
    organization = caller.organization
    trusted = caller.person.may_change_plan
    state: dict[str, object] = {
        "org": {
            "id": organization.id,
            "slug": organization.slug,
            "name": organization.name,
            "role": caller.person.role,
        },
        "balanceUsd": billing_amount(organization, organization.balance),
        "cliBillingEnabled": organization.cli_billing_enabled,
        "chargePresets": [billing_amount(organization, Decimal(each)) for each in organization.presets],
        "bounds": {
            "minUsd": billing_amount(organization, organization.minimum),
            "maxUsd": billing_amount(organization, organization.maximum),
        },
        "card": _card(organization) if trusted else None,
        "monthlyCap": _cap(organization) if trusted else None,
        "autoReload": auto_reload_of(organization) if trusted else None,
    }
    if not organization.is_older_server:
        state["canChangePlan"] = trusted
        state["paymentMethod"] = _payment_method(organization) if trusted else None
    if organization.portal_url is not None:
        state["portalUrl"] = organization.portal_url
    return ExactJSONResponse(state)


async def post_charge(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /api/billing/charge` with 202 and the id of a pending charge.

    Permissions are checked before the body. A key with an existing charge is answered before the
    checks of card, cap and limit, because a retry makes no new charge.
    """
    caller = logged_in(accounts, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    key = idempotency_key(request)
    amount = _amount(await json_object(request), caller.organization)
    if accounts.ledger.made_before(caller.organization.slug, key, amount) is None:
        caller.require_card()
        _check_cap(accounts, caller.organization, amount)
        accounts.ledger.check_hourly_limit(
            caller.organization.slug, caller.token.text, accounts.charge_rate_limit
        )
    scenario = scenario_of_charge(caller.organization, amount)

    async def charge() -> Response:
        return _charge(accounts, caller, key, amount, scenario.outcome)

    return await respond_with_fault(accounts, money_fault(accounts, caller, key, scenario), request, charge)


async def read_charge(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /api/billing/charge/{id}` with the charge's status. An unknown id is pending."""
    caller = logged_in(accounts, request)
    caller.require_scope()
    charge = accounts.ledger.find(request.path_params["charge_id"], caller.organization.slug)
    if charge is None:
        return ExactJSONResponse({"status": "pending"})
    answer: dict[str, object] = {
        "status": charge.status,
        "amountUsd": billing_amount(caller.organization, charge.amount),
    }
    if charge.status == "settled" and charge.settle_at is not None:
        answer["settledAt"] = iso_instant(charge.settle_at)
    if charge.status == "failed":
        answer["reason"] = charge.reason
    return ExactJSONResponse(answer)


async def change_auto_reload(accounts: Accounts, request: Request) -> Response:
    """Answer `PATCH /api/billing/auto-top-up`. The body has exactly three keys, even to disable."""
    caller = logged_in(accounts, request)
    caller.require_role()
    caller.require_switch()
    caller.require_scope()
    wanted = _wanted_auto_reload(await json_object(request), caller.organization)
    if wanted.enabled:
        caller.require_card()
        caller.require_unbroken_auto_reload()
    if caller.organization.auto_reload is not None:
        wanted.card = caller.organization.auto_reload.card
    caller.organization.auto_reload = wanted
    return ExactJSONResponse({"autoReload": auto_reload_of(caller.organization)})


def idempotency_key(request: Request) -> str:
    """Return the `Idempotency-Key` header.

    Raises:
        RefusalError: The header is missing, blank or too long.
    """
    key = request.headers.get("idempotency-key", "").strip()
    if not key:
        raise invalid("The Idempotency-Key header is missing.", code="idempotency_key_required")
    if len(key) > _KEY_LIMIT:
        raise invalid(f"An idempotency key has at most {_KEY_LIMIT} characters.")
    return key


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object with fractions as `Decimal`.

    Raises:
        RefusalError: The body is not a JSON object.
    """
    try:
        body = load_json(await request.body())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


def money_fault(accounts: Accounts, caller: Caller, key: str, scenario: Scenario) -> Fault | None:
    """Return the fault of this attempt to charge under this key, or None."""
    fault = scenario.charge
    if fault is None or not fault.first_try_only:
        return fault
    return fault if accounts.first_time(caller.organization.slug, key) else None


def billing_amount(organization: Organization, amount: Decimal) -> Decimal | str:
    """Return the amount in the organization's format: a decimal string or a JSON number."""
    return money(amount, as_number=organization.writes_numbers)


def _charge(
    accounts: Accounts, caller: Caller, key: str, amount: Decimal, outcome: Outcome | None
) -> Response:
    slug = caller.organization.slug
    charge = accounts.ledger.made_before(slug, key, amount)
    if charge is None:
        outcome = outcome or SCENARIOS["settles"].outcome
        assert outcome is not None  # noqa: S101 that row has one
        charge = accounts.ledger.make(slug, caller.person.key, amount, key, caller.token.text, outcome)
    return ExactJSONResponse({"chargeId": charge.id}, 202)


def _amount(body: dict[str, Any], organization: Organization) -> Decimal:
    amount = whole_or_decimal(body.get("amountUsd"))
    if amount is None:
        raise invalid("amountUsd must be a number.")
    if not organization.minimum <= amount <= organization.maximum:
        least, most = decimal_string(organization.minimum), decimal_string(organization.maximum)
        raise RefusalError(400, "amount_out_of_bounds", f"Enter an amount between ${least} and ${most}.")
    if amount != amount.quantize(_CENT, context=EXACT):
        raise invalid("An amount has at most two decimals.")
    return amount


def _check_cap(accounts: Accounts, organization: Organization, amount: Decimal) -> None:
    left = accounts.ledger.left_of_cap(organization)
    if left is not None and amount > left:
        cap = organization.cap
        raise RefusalError.of(
            "monthly_cap_exceeded",
            message=f"This would go over the monthly limit: {dollars(left)} is left.",
            remainingUsd=billing_amount(organization, left),
            isDefaultCeiling=cap is not None and cap.is_default_ceiling,
        )


def _wanted_auto_reload(body: dict[str, Any], organization: Organization) -> AutoReload:
    if set(body) != _AUTO_RELOAD_KEYS:
        raise invalid("Send exactly enabled, threshold and topUpAmount.")
    enabled = body["enabled"]
    threshold, reload_to = whole_or_decimal(body["threshold"]), whole_or_decimal(body["topUpAmount"])
    if not isinstance(enabled, bool) or threshold is None or reload_to is None:
        raise invalid("enabled must be true or false, threshold and topUpAmount numbers.")
    if enabled:
        _check_auto_reload(threshold, reload_to, organization)
    return AutoReload(enabled=enabled, threshold=threshold, reload_to=reload_to)


def _check_auto_reload(threshold: Decimal, reload_to: Decimal, organization: Organization) -> None:
    """Validate the amounts for enabling. Disabling skips this: stored amounts may be invalid."""
    least, most = organization.minimum, organization.maximum
    if not least <= threshold <= most or not least <= reload_to <= most:
        between = f"${decimal_string(least)} and ${decimal_string(most)}"
        raise RefusalError(400, "amount_out_of_bounds", f"Enter amounts between {between}.")
    if any(amount != amount.quantize(_CENT, context=EXACT) for amount in (threshold, reload_to)):
        raise invalid("An amount has at most two decimals.")
    if reload_to <= threshold:
        raise invalid("The amount to reload to must be above the threshold.")


def auto_reload_of(organization: Organization) -> dict[str, object] | None:
    """Return `autoReload`. It is None when auto-reload was never set up."""
    auto_reload = organization.auto_reload
    if auto_reload is None:
        return None
    card = auto_reload.card
    facts = {"paymentMethodId": card.payment_method_id, "brand": card.brand, "last4": card.last4}
    return {
        "enabled": auto_reload.enabled,
        "thresholdUsd": billing_amount(organization, auto_reload.threshold),
        "reloadToUsd": billing_amount(organization, auto_reload.reload_to),
        "card": {"kind": card.kind, **_known(facts)},
    }


def _card(organization: Organization) -> dict[str, object] | None:
    card = organization.card
    if card is None:
        return None
    return {"brand": card.brand, "last4": card.last4, **_known({"resolvedVia": card.resolved_via})}


def _payment_method(organization: Organization) -> dict[str, object] | None:
    card, other = organization.card, organization.other_method
    if card is not None:
        facts = {"wallet": card.wallet, "resolvedVia": card.resolved_via}
        return {"kind": "card", "brand": card.brand, "last4": card.last4, **_known(facts)}
    if other is not None:
        facts = {"email": other.email, "resolvedVia": other.resolved_via}
        return {"kind": other.kind, **_known(facts)}
    return None


def _cap(organization: Organization) -> dict[str, object] | None:
    cap = organization.cap
    if cap is None:
        return None
    return {
        "limitUsd": billing_amount(organization, cap.limit),
        "spentThisMonthUsd": billing_amount(organization, cap.spent),
        "isDefaultCeiling": cap.is_default_ceiling,
    }


def _known(facts: dict[str, str | None]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}
