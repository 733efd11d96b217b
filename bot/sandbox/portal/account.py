"""The account call: the person, the plan and the entitlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.portal.cycle import cycle_end
from bot.sandbox.portal.entitlement import entitlement, tool_access, usable
from bot.sandbox.portal.gates import identified
from bot.sandbox.portal.models import tier_of
from bot.sandbox.portal.wire import ExactJSONResponse, money, sum_of

if TYPE_CHECKING:
    from decimal import Decimal

    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.models import Organization, Person


async def read_account(accounts: Accounts, request: Request) -> Response:
    """Answer `GET /api/oauth/account`. Amounts are US dollars as JSON numbers.

    `organisation` is absent for a login without an organization.
    """
    caller = identified(accounts, request)
    caller.require_session()
    organization = caller.membership
    answer: dict[str, object] = {
        "user": {"email": caller.person.email, "privy_did": caller.person.account},
        "subscription": None if organization is None else _plan(organization, accounts.now()),
        "paid_service_access": _access(caller, accounts.now()),
        "tool_access": tool_access(organization),
    }
    if organization is not None:
        answer["organisation"] = {
            "id": organization.id,
            "slug": organization.slug,
            "name": organization.name,
        }
    return ExactJSONResponse(answer)


def _plan(organization: Organization, now: float) -> dict[str, object] | None:
    """Return `subscription`. It is None on the free plan.

    `credits_remaining` includes `rollover_credits` and may therefore exceed `monthly_credits`. It may
    be below zero, because usage settles late. An organization that hides its numbers sends only the
    name.
    """
    subscription = organization.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    if subscription is None or tier is None:
        return None
    numbers: dict[str, object] = {
        "tier": tier.order,
        "monthly_charge": tier.price,
        "monthly_credits": tier.monthly_credits,
        "current_period_end": cycle_end(now),
        "credits_remaining": subscription.credits_remaining,
        "rollover_credits": subscription.rollover,
    }
    return {"plan": tier.name, **_unless_hidden(organization, numbers)}


def _access(caller: Caller, now: float) -> dict[str, object]:
    """Return `paid_service_access`: the decision, its reason and the amounts.

    Without a plan, the plan's remainder is 0. Without an organization, or when the organization hides
    its numbers, all amounts are null. The fields of the member's cap are present without a cap.
    """
    decision = entitlement(caller.person, caller.membership)
    return {
        "allowed": decision.allowed,
        "paid_access": decision.allowed,
        "reason": decision.reason,
        "effective_at_ms": int(now * 1000),
        **_amounts(caller.membership),
        **_member_cap(caller.person, caller.membership),
    }


def _amounts(organization: Organization | None) -> dict[str, object]:
    subscription = None if organization is None else organization.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    numbers: dict[str, object] = {
        "subscription_tier": None if tier is None else tier.order,
        "subscription_monthly_charge": None if tier is None else tier.price,
        **_remainder(organization),
        "purchased_credits_remaining": None if organization is None else organization.balance,
        "total_usable_credits": None if organization is None else usable(organization),
    }
    return {
        "organisation_id": None if organization is None else organization.id,
        "has_active_subscription": tier is not None,
        "active_subscription_is_paid": tier is not None and tier.price > 0,
        **_unless_hidden(organization, numbers),
    }


def _remainder(organization: Organization | None) -> dict[str, object]:
    """Return the plan's remainder. Some answers of the live portal omit it."""
    if organization is not None and organization.leaves_out_remainder:
        return {}
    subscription = None if organization is None else organization.subscription
    return {"subscription_credits_remaining": 0 if subscription is None else subscription.credits_remaining}


def _member_cap(person: Person, organization: Organization | None) -> dict[str, object]:
    if organization is None:
        return {
            "member_spend_cap_exceeded": False,
            "member_spend_cap_usd": None,
            "member_spend_usd": None,
            "member_spend_cap_remaining_usd": None,
        }
    return {
        "member_spend_cap_exceeded": person.is_over_spend_cap,
        "member_spend_cap_usd": _money_or_null(person.spend_cap, organization),
        "member_spend_usd": _money_or_null(person.spent, organization),
        "member_spend_cap_remaining_usd": _money_or_null(_left_of_cap(person), organization),
    }


def _left_of_cap(person: Person) -> Decimal | None:
    return None if person.spend_cap is None else max(sum_of(), sum_of(person.spend_cap, -person.spent))


def _money_or_null(amount: Decimal | None, organization: Organization) -> object:
    return None if amount is None else money(amount, as_number=organization.writes_numbers)


def _unless_hidden(organization: Organization | None, numbers: dict[str, object]) -> dict[str, object]:
    hidden = organization is None or organization.hides_numbers
    return dict.fromkeys(numbers) if hidden else numbers
