"""Phrases that several screens share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import escape
from bot.domain.billing import AutoReloadCardKind, Role
from bot.domain.money import show

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import AutoReload, Card

CONSENT = "By confirming, you allow Nous Research to charge your card."

_WHY_THIS_CARD = {
    "subPin": "the card on your subscription",
    "customerDefault": "your default card saved on the portal",
    "autoRefill": "your auto-reload card",
}

_ROLES = {
    Role.OWNER: "Owner",
    Role.ADMIN: "Admin",
    Role.FINANCE_ADMIN: "Finance admin",
    Role.SECURITY_ADMIN: "Security admin",
    Role.MEMBER: "Member",
}

_BAR_LENGTH = 20


def card_name(card: Card) -> str:
    """Name a card: `Visa ····4242`, or the brand alone (behaviour 16). Not escaped."""
    brand = card.brand if any(letter.isupper() for letter in card.brand) else card.brand.title()
    return f"{brand} ····{card.last4}" if card.last4 else brand


def why_this_card(card: Card) -> str | None:
    """Say why this card would be charged; None for a reason not known here (behaviour 17)."""
    return _WHY_THIS_CARD.get(card.resolved_via or "")


def role_name(role: Role) -> str | None:
    """Name a role; None for one not known here."""
    return _ROLES.get(role)


def organisation(name: str | None) -> str:
    """Name the organisation, escaped."""
    return escape(name) if name else "your organisation"


def bar(share: Decimal) -> str:
    """Draw a share from 0 to 1."""
    full = round(share * _BAR_LENGTH)
    return "█" * full + "░" * (_BAR_LENGTH - full)


def auto_reload_line(setting: AutoReload) -> str:
    """Say what auto-reload does, in one line (escaped)."""
    if not setting.enabled:
        return "off"
    words = f"on: below {show(setting.threshold)}, reload to {show(setting.reload_to)}"
    if setting.card_kind is AutoReloadCardKind.DISTINCT:
        words += f", with {escape(card_name(setting.card)) if setting.card else 'a different card'}"
    return words
