"""Two answers of the live portal to `GET /api/oauth/account` (docs/portal.md, section 4.6).

Money is text here as it would be in JSON: parsed to Decimal, without a float in between.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def _account(who: str, subscription: dict[str, Any], access: dict[str, Any]) -> dict[str, Any]:
    return {
        "user": {"email": f"{who}@example.com", "privy_did": f"did:privy:{who}"},
        "organisation": {"id": f"org_{who}", "slug": who, "name": f"{who.title()}'s organization"},
        "subscription": {
            "plan": "Plus",
            "tier": 1,
            "monthly_charge": Decimal(20),
            "monthly_credits": Decimal(22),
            "current_period_end": "2026-12-01T00:00:00.000Z",
            **subscription,
        },
        "paid_service_access": {
            "allowed": True,
            "paid_access": True,
            "reason": "usable_credits",
            "member_spend_cap_exceeded": False,
            "member_spend_cap_usd": None,
            "member_spend_usd": "0",
            "member_spend_cap_remaining_usd": None,
            **access,
        },
    }


PLUS_WITH_THE_PLAN_SPENT = _account(
    "pia",
    {"credits_remaining": Decimal("-1e-22"), "rollover_credits": 0},
    {
        "subscription_credits_remaining": Decimal("-1e-22"),
        "purchased_credits_remaining": Decimal("32.0836345329777"),
        "total_usable_credits": Decimal("32.0836345329777"),
    },
)
PLUS_WITH_ROLLOVER = _account(
    "rolf",
    {
        "credits_remaining": Decimal("22.472091793333334"),
        "rollover_credits": Decimal("6.591792646666667"),
    },
    {
        "purchased_credits_remaining": 0,
        "total_usable_credits": Decimal("22.472091793333334"),
    },
)
