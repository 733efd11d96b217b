"""The contract's tables: the fields of each answer and their kinds."""

from __future__ import annotations

from tests.sandbox.portal.shape import (
    flag,
    instant,
    money,
    nothing,
    number,
    one_of,
    text,
    whole,
)

READS = ("/api/oauth/account", "/api/billing/state", "/api/billing/subscription")


CARD = {"brand": text, "last4": text, "resolvedVia?": text}


STATE: dict[str, object] = {
    "org": {"id": text, "slug": text, "name": text, "role": text},
    "balanceUsd": money,
    "cliBillingEnabled": flag,
    "canChangePlan?": flag,
    "chargePresets": [money],
    "bounds": {"minUsd": money, "maxUsd": money},
    "card": (nothing, CARD),
    "paymentMethod?": (
        nothing,
        {"kind": one_of("card"), "wallet?": one_of("apple_pay", "google_pay"), **CARD},
        {"kind": text, "email?": text, "resolvedVia?": text},
    ),
    "monthlyCap": (
        nothing,
        {"limitUsd": money, "spentThisMonthUsd": money, "isDefaultCeiling": flag},
    ),
    "autoReload": (
        nothing,
        {
            "enabled": flag,
            "thresholdUsd": money,
            "reloadToUsd": money,
            "card": {
                "kind": one_of("canonical", "none", "distinct"),
                "paymentMethodId?": text,
                "brand?": text,
                "last4?": text,
            },
        },
    ),
    "portalUrl?": text,
}


ACCOUNT: dict[str, object] = {
    "user": {"email": text, "privy_did": text},
    "organisation?": {"id": text, "slug": text, "name": text},
    "subscription": (
        nothing,
        {
            "plan": text,
            "tier": (nothing, whole),
            "monthly_charge": (nothing, number),
            "monthly_credits": (nothing, number),
            "current_period_end": (nothing, instant),
            "credits_remaining": (nothing, number),
            "rollover_credits": (nothing, number),
        },
    ),
    "paid_service_access": {
        "allowed": flag,
        "paid_access": flag,
        "reason": one_of(
            "usable_credits",
            "no_usable_credits",
            "no_active_subscription",
            "account_missing",
            "member_spend_cap_exceeded",
        ),
        "organisation_id": (nothing, text),
        "effective_at_ms": whole,
        "has_active_subscription": flag,
        "active_subscription_is_paid": flag,
        "subscription_tier": (nothing, whole),
        "subscription_monthly_charge": (nothing, number),
        "subscription_credits_remaining?": (nothing, number),
        "purchased_credits_remaining": (nothing, number),
        "total_usable_credits": (nothing, number),
        "member_spend_cap_exceeded": flag,
        "member_spend_cap_usd": (nothing, money),
        "member_spend_usd": (nothing, money),
        "member_spend_cap_remaining_usd": (nothing, money),
    },
    "tool_access": {
        "enabled": flag,
        "coverage": {
            f"{tool}?": flag
            for tool in ("firecrawl", "fal", "fal-video", "openai-audio", "browser-use", "modal")
        },
    },
}


TIER: dict[str, object] = {
    "tierId": text,
    "name": text,
    "tierOrder": whole,
    "dollarsPerMonthDisplay": money,
    "monthlyCredits": money,
    "isCurrent": flag,
    "isEnabled": flag,
}


TORN_TIER: dict[str, object] = {
    "tierId?": text,
    "name": (nothing, text),
    "tierOrder": (nothing, whole),
    "dollarsPerMonthDisplay": money,
    "monthlyCredits": money,
    "isCurrent?": flag,
    "isEnabled?": flag,
}


SUBSCRIPTION: dict[str, object] = {
    "org": {"id": text, "name": text, "role": text},
    "context": one_of("personal", "team"),
    "canChangePlan?": flag,
    "current": (
        nothing,
        {
            "tierId": text,
            "tierName": text,
            "monthlyCredits": money,
            "creditsRemaining?": money,
            "cycleEndsAt": instant,
            "pendingDowngradeTierName?": text,
            "pendingDowngradeAt?": instant,
            "cancelAtPeriodEnd": flag,
            "cancellationEffectiveAt?": instant,
        },
    ),
    "tiers": [TIER],
    "portalUrl?": text,
}


CHANGES: tuple[tuple[str, str, object, int, dict[str, object]], ...] = (
    ("POST", "/api/billing/charge", {"amountUsd": 50}, 202, {"chargeId": text}),
    (
        "PATCH",
        "/api/billing/auto-top-up",
        {"enabled": True, "threshold": 20, "topUpAmount": 100},
        200,
        {"autoReload": STATE["autoReload"]},
    ),
    (
        "POST",
        "/api/billing/subscription/preview",
        {"subscriptionTypeId": "super"},
        200,
        {
            "effect": one_of("charge_now", "scheduled", "no_op", "blocked"),
            "reason?": text,
            "currentTierId": text,
            "currentTierName": text,
            "targetTierId": text,
            "targetTierName": text,
            "monthlyCreditsDelta": money,
            "amountDueNowCents?": number,
            "effectiveAt?": instant,
        },
    ),
    (
        "PUT",
        "/api/billing/subscription/pending-change",
        {"type": "tier_change", "subscriptionTypeId": "free"},
        200,
        {
            "message": text,
            "effectiveAt": instant,
            "rail": text,
            "changeType": text,
            "targetTierName": text,
            "cancelAtPeriodEnd": flag,
        },
    ),
    (
        "PUT",
        "/api/billing/subscription/pending-change",
        {"type": "cancellation"},
        200,
        {"message": text, "effectiveAt": instant, "rail": text, "cancelAtPeriodEnd": flag},
    ),
    (
        "DELETE",
        "/api/billing/subscription/pending-change",
        None,
        200,
        {"message": text, "rail": text, "cancelAtPeriodEnd": flag},
    ),
    (
        "POST",
        "/api/billing/subscription/upgrade",
        {"subscriptionTypeId": "super"},
        200,
        {
            "status": one_of("upgraded", "already_on_tier", "requires_action", "payment_failed"),
            "targetTierName?": text,
            "reason?": text,
            "recoveryUrl?": text,
        },
    ),
)


CHARGE_STATUS: dict[str, object] = {
    "status": one_of("pending", "settled", "failed"),
    "amountUsd?": money,
    "settledAt?": instant,
    "reason?": text,
}


DEVICE_CODE: dict[str, object] = {
    "device_code": text,
    "user_code": text,
    "verification_uri": text,
    "verification_uri_complete": text,
    "expires_in": whole,
    "interval": whole,
}


REFUSAL: dict[str, object] = {
    "error": text,
    "message?": text,
    "portalUrl?": text,
    "code?": text,
    "actor?": one_of("self", "admin"),
    "recovery?": one_of("reconnect", "login", "enable_account_toggle"),
    "remainingUsd?": money,
    "isDefaultCeiling?": flag,
}


TOKENS: dict[str, object] = {
    "access_token": text,
    "refresh_token": text,
    "token_type": one_of("Bearer"),
    "expires_in": whole,
    "scope": text,
    "inference_base_url?": text,
}

PUBLISHED: dict[str, dict[str, str]] = {
    "pia": {
        "monthly_credits": "22",
        "credits_remaining": "-1e-22",
        "rollover_credits": "0",
        "subscription_credits_remaining": "-1e-22",
        "purchased_credits_remaining": "32.0836345329777",
        "total_usable_credits": "32.0836345329777",
        "allowed": "true",
    },
    "rolf": {
        "monthly_credits": "22",
        "credits_remaining": "22.472091793333334",
        "rollover_credits": "6.591792646666667",
        "purchased_credits_remaining": "0",
        "total_usable_credits": "22.472091793333334",
        "allowed": "true",
    },
}
"""The two published live answers, field by field as JSON text."""
