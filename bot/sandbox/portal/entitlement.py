"""The entitlement of a person: the portal's decision, its reason, and the claims of a token.

Clients follow the decision (`allowed`), not the amounts (docs/portal.md, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.models import tier_of
from bot.sandbox.portal.wire import sum_of

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.sandbox.portal.models import Organization, Person

PRODUCT_ID = "hermes"
_TOOLS = ("firecrawl", "fal", "fal-video", "openai-audio", "browser-use", "modal")
_NOT_COVERED = "fal-video"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitlement:
    """The decision about paid use, and its reason code (docs/portal.md, section 4.2)."""

    allowed: bool
    reason: str


def entitlement(person: Person, organization: Organization | None) -> Entitlement:
    """Return the portal's decision about this person.

    A member over the member's own cap is refused, whatever the balance of the organization. Any other
    person is allowed when the organization has usable credits.
    """
    if organization is None:
        return Entitlement(allowed=False, reason="account_missing")
    if person.is_over_spend_cap:
        return Entitlement(allowed=False, reason="member_spend_cap_exceeded")
    if usable(organization) > 0:
        return Entitlement(allowed=True, reason="usable_credits")
    planless = organization.subscription is None
    return Entitlement(allowed=False, reason="no_active_subscription" if planless else "no_usable_credits")


def usable(organization: Organization) -> Decimal:
    """Return the usable US dollars: the balance, and the plan's remainder when it is positive."""
    subscription = organization.subscription
    if subscription is None or subscription.credits_remaining <= 0:
        return organization.balance
    return sum_of(organization.balance, subscription.credits_remaining)


def tool_access(organization: Organization | None) -> dict[str, object]:
    """Return `tool_access` of tokens and of the account call: the tools that the tool pool covers."""
    if organization is None:
        return {"enabled": False, "coverage": {}}
    return {"enabled": True, "coverage": {tool: tool != _NOT_COVERED for tool in _TOOLS}}


def token_claims(person: Person, organization: Organization | None) -> dict[str, object]:
    """Return the entitlement claims of an access token."""
    subscription = None if organization is None else organization.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    return {
        "org_id": None if organization is None else organization.id,
        "product_id": PRODUCT_ID,
        "paid_access": entitlement(person, organization).allowed,
        "subscription_tier": None if tier is None else tier.order,
        "tool_access": tool_access(organization),
    }
