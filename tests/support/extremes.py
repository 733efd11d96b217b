"""Every field of every answer of the portal at its extreme, one at a time."""

from __future__ import annotations

import copy
import os
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = object()
VALUES: tuple[Any, ...] = (
    MISSING,
    None,
    True,
    0,
    -1,
    10**40,
    Decimal("-1e-22"),
    Decimal("-50.0000417"),
    "-2000",
    "-1e+30",
    "0.01",
    Decimal("32.0836345329777"),
    Decimal("1e+25"),
    "1e400",
    "9" * 20,
    "9" * 30,
    "",
    "\x00",
    "\ud800",
    "\u202e\u2066ecnanif\x1b[2J",
    "x" * 303,
    "é" * 255,
    "😀" * 63,
    "x" * 2940,
    "&<>" * 980,
    "😀" * 1500,
    "<!channel> <https://evil.example|click>",
    "https://evil.example/billing",
    "//evil.example",
    [],
    {},
    [None, {}, "x"],
)

STATE: dict[str, Any] = {
    "org": {"id": "org_acme", "slug": "acme", "name": "Acme Research", "role": "OWNER"},
    "balanceUsd": "142.50183461729",
    "cliBillingEnabled": True,
    "canChangePlan": True,
    "chargePresets": ["25", "50", "100"],
    "bounds": {"minUsd": "5", "maxUsd": "1000"},
    "card": {"brand": "visa", "last4": "4242", "resolvedVia": "subPin"},
    "paymentMethod": {
        "kind": "card",
        "brand": "visa",
        "last4": "4242",
        "wallet": "apple_pay",
        "email": "ada@acme.example",
        "resolvedVia": "subPin",
    },
    "monthlyCap": {"limitUsd": "1000", "spentThisMonthUsd": "179.9999583", "isDefaultCeiling": True},
    "autoReload": {
        "enabled": True,
        "thresholdUsd": "20",
        "reloadToUsd": "100",
        "card": {"kind": "distinct", "brand": "visa", "last4": "1111", "paymentMethodId": "pm_1"},
    },
    "portalUrl": "/billing?topup=open",
}
ACCOUNT: dict[str, Any] = {
    "user": {"email": "ada@acme.example", "privy_did": "did:privy:ada"},
    "organisation": {"id": "org_acme", "slug": "acme", "name": "Acme Research"},
    "subscription": {
        "plan": "Plus",
        "tier": 1,
        "monthly_credits": 22,
        "current_period_end": "2026-12-01T00:00:00.000Z",
        "credits_remaining": Decimal("13.2041766003"),
        "rollover_credits": Decimal("1.0000417"),
    },
    "paid_service_access": {
        "allowed": True,
        "paid_access": True,
        "reason": "usable_credits",
        "subscription_credits_remaining": Decimal("13.2041766003"),
        "purchased_credits_remaining": Decimal("142.50183461729"),
        "total_usable_credits": Decimal("155.7060112176"),
        "member_spend_cap_exceeded": False,
        "member_spend_cap_usd": "25",
        "member_spend_usd": "3.2000417",
        "member_spend_cap_remaining_usd": "21.7999583",
    },
}
SUBSCRIPTION: dict[str, Any] = {
    "org": {"id": "org_acme", "name": "Acme Research", "role": "OWNER"},
    "context": "personal",
    "canChangePlan": True,
    "current": {
        "tierId": "plus",
        "tierName": "Plus",
        "monthlyCredits": "22",
        "creditsRemaining": "13.2041766003",
        "cycleEndsAt": "2026-12-01T00:00:00.000Z",
        "pendingDowngradeTierName": "Basic",
        "pendingDowngradeAt": "2026-12-01T00:00:00.000Z",
        "cancelAtPeriodEnd": False,
        "cancellationEffectiveAt": None,
    },
    "tiers": [
        {
            "tierId": "super",
            "name": "Super",
            "tierOrder": 2,
            "dollarsPerMonthDisplay": "100",
            "monthlyCredits": "110",
            "isCurrent": False,
            "isEnabled": True,
        },
        {
            "tierId": "ultra",
            "name": "Ultra",
            "tierOrder": 3,
            "dollarsPerMonthDisplay": "$200",
            "monthlyCredits": 220,
            "isCurrent": False,
            "isEnabled": True,
        },
    ],
    "portalUrl": "/manage-subscription?org_id=org_acme",
}
PREVIEW: dict[str, Any] = {
    "effect": "charge_now",
    "reason": "Prorated for the rest of the month.",
    "currentTierId": "plus",
    "currentTierName": "Plus",
    "targetTierId": "super",
    "targetTierName": "Super",
    "monthlyCreditsDelta": "88",
    "amountDueNowCents": Decimal("4630.0"),
    "effectiveAt": "2026-12-01T00:00:00.000Z",
}
UPGRADE: dict[str, Any] = {
    "status": "payment_failed",
    "targetTierName": "Super",
    "reason": "processing_error",
    "recoveryUrl": "/billing/recover",
}
REFUSAL: dict[str, Any] = {
    "error": "monthly_cap_exceeded",
    "message": "This would go over the monthly limit.",
    "portalUrl": "/billing",
    "code": "cap",
    "actor": "admin",
    "recovery": "login",
    "remainingUsd": "12.5000417",
    "isDefaultCeiling": True,
}


EVERY = 1 if os.environ.get("PROVE") else 7 if os.environ.get("QUICK") else 3


def mutations(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field of an answer, nested ones too, with each of VALUES in turn, and what was changed.

    `make prove` tries all of them; every other run tries a sample, always the same.
    """
    changes = ((path, value) for path in _paths(answer) for value in VALUES)
    for path, value in islice(changes, 0, None, EVERY):
        yield f"{'.'.join(map(str, path))} = {_named(value)}", _with(answer, path, value)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))


def _with(answer: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(answer)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if value is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = copy.deepcopy(value)
    return changed


def _named(value: Any) -> str:
    return "missing" if value is MISSING else repr(value)[:40]
