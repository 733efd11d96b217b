"""The account call: who is signed in, the plan, and what they may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.sandbox.portal.cycle import cycle_end
from bot.sandbox.portal.entitlement import entitlement, tool_access, usable
from bot.sandbox.portal.gates import identified
from bot.sandbox.portal.wire import ExactJSONResponse, money, sum_of
from bot.sandbox.portal.world import tier_of

if TYPE_CHECKING:
    from decimal import Decimal

    from starlette.requests import Request
    from starlette.responses import Response

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.gates import Caller
    from bot.sandbox.portal.world import Organisation, Person


async def read_account(estate: Estate, request: Request) -> Response:
    """`GET /api/oauth/account`: amounts are US dollars as JSON numbers.

    `organisation` is absent for a login without one.
    """
    caller = identified(estate, request)
    caller.require_session()
    organisation = caller.membership
    answer: dict[str, object] = {
        "user": {"email": caller.person.email, "privy_did": caller.person.account},
        "subscription": None if organisation is None else _plan(organisation, estate.now()),
        "paid_service_access": _access(caller, estate.now()),
        "tool_access": tool_access(organisation),
    }
    if organisation is not None:
        answer["organisation"] = {
            "id": organisation.id,
            "slug": organisation.slug,
            "name": organisation.name,
        }
    return ExactJSONResponse(answer)


def _plan(organisation: Organisation, now: float) -> dict[str, object] | None:
    """`subscription`: None on the free plan.

    `rollover_credits` is part of `credits_remaining`, which may therefore exceed `monthly_credits`
    and, as use settles late, may be below zero. Where the numbers are hidden, the name is all
    there is.
    """
    subscription = organisation.subscription
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
    return {"plan": tier.name, **_unless_hidden(organisation, numbers)}


def _access(caller: Caller, now: float) -> dict[str, object]:
    """`paid_service_access`: the decision and its reason, then the amounts it does not depend on.

    The amounts of a plan are 0 without one, and all of them are null without an organization or
    where it hides its numbers. The fields of the member's own cap are there without a cap too.
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


def _amounts(organisation: Organisation | None) -> dict[str, object]:
    subscription = None if organisation is None else organisation.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    numbers: dict[str, object] = {
        "subscription_tier": None if tier is None else tier.order,
        "subscription_monthly_charge": None if tier is None else tier.price,
        **_remainder(organisation),
        "purchased_credits_remaining": None if organisation is None else organisation.balance,
        "total_usable_credits": None if organisation is None else usable(organisation),
    }
    return {
        "organisation_id": None if organisation is None else organisation.id,
        "has_active_subscription": tier is not None,
        "active_subscription_is_paid": tier is not None and tier.price > 0,
        **_unless_hidden(organisation, numbers),
    }


def _remainder(organisation: Organisation | None) -> dict[str, object]:
    """The plan's remainder, which some answers of the live portal leave out here."""
    if organisation is not None and organisation.leaves_out_remainder:
        return {}
    subscription = None if organisation is None else organisation.subscription
    return {"subscription_credits_remaining": 0 if subscription is None else subscription.credits_remaining}


def _member_cap(person: Person, organisation: Organisation | None) -> dict[str, object]:
    if organisation is None:
        return {
            "member_spend_cap_exceeded": False,
            "member_spend_cap_usd": None,
            "member_spend_usd": None,
            "member_spend_cap_remaining_usd": None,
        }
    return {
        "member_spend_cap_exceeded": person.is_over_spend_cap,
        "member_spend_cap_usd": _money_or_null(person.spend_cap, organisation),
        "member_spend_usd": _money_or_null(person.spent, organisation),
        "member_spend_cap_remaining_usd": _money_or_null(_left_of_cap(person), organisation),
    }


def _left_of_cap(person: Person) -> Decimal | None:
    return None if person.spend_cap is None else max(sum_of(), sum_of(person.spend_cap, -person.spent))


def _money_or_null(amount: Decimal | None, organisation: Organisation) -> object:
    return None if amount is None else money(amount, as_number=organisation.writes_numbers)


def _unless_hidden(organisation: Organisation | None, numbers: dict[str, object]) -> dict[str, object]:
    hidden = organisation is None or organisation.hides_numbers
    return dict.fromkeys(numbers) if hidden else numbers
