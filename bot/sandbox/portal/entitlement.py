"""What a person may use: the portal's decision, its reason, and the claims a token carries.

The decision (`allowed`) and not the amounts says whether paid use is possible (contract, "Account").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sandbox.portal.wire import sum_of
from bot.sandbox.portal.world import tier_of

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.sandbox.portal.world import Organisation, Person

PRODUCT_ID = "hermes"
_TOOLS = ("firecrawl", "fal", "fal-video", "openai-audio", "browser-use", "modal")
_NOT_COVERED = "fal-video"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entitlement:
    """Whether paid use is possible, and the contract's word for why."""

    allowed: bool
    reason: str


def entitlement(person: Person, organisation: Organisation | None) -> Entitlement:
    """The portal's decision about this person.

    A member over a cap of their own is refused first, because no top-up of the organization helps
    there. Otherwise anything usable allows, and a plan says which of the two reasons refuses.
    """
    if organisation is None:
        return Entitlement(allowed=False, reason="account_missing")
    if person.is_over_spend_cap:
        return Entitlement(allowed=False, reason="member_spend_cap_exceeded")
    if usable(organisation) > 0:
        return Entitlement(allowed=True, reason="usable_credits")
    planless = organisation.subscription is None
    return Entitlement(allowed=False, reason="no_active_subscription" if planless else "no_usable_credits")


def usable(organisation: Organisation) -> Decimal:
    """What can be spent, in US dollars: the balance, and what is left of the plan if anything is."""
    subscription = organisation.subscription
    if subscription is None or subscription.credits_remaining <= 0:
        return organisation.balance
    return sum_of(organisation.balance, subscription.credits_remaining)


def tool_access(organisation: Organisation | None) -> dict[str, object]:
    """`tool_access` of tokens and of the account call: which managed tools the tool pool pays for."""
    if organisation is None:
        return {"enabled": False, "coverage": {}}
    return {"enabled": True, "coverage": {tool: tool != _NOT_COVERED for tool in _TOOLS}}


def token_claims(person: Person, organisation: Organisation | None) -> dict[str, object]:
    """The claims of an access token that say what the account may use."""
    subscription = None if organisation is None else organisation.subscription
    tier = None if subscription is None else tier_of(subscription.tier)
    return {
        "org_id": None if organisation is None else organisation.id,
        "product_id": PRODUCT_ID,
        "paid_access": entitlement(person, organisation).allowed,
        "subscription_tier": None if tier is None else tier.order,
        "tool_access": tool_access(organisation),
    }
