"""Phrases that several screens share."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks.kit import escape
from bot.domain.billing import AutoReloadCardKind, Role
from bot.domain.identity import FORGOTTEN
from bot.domain.money import show
from bot.domain.payment import LINK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.billing import AutoReload
    from bot.domain.identity import Account
    from bot.domain.payment import PaymentMethod

CONSENT = "By confirming, you allow Nous Research to charge your card."
SUPPORT = "support@nousresearch.com"
MANAGERS = "an owner, admin or finance admin"
"""The roles that may spend for an organization (docs/portal.md, section 5.2)."""

SWITCH = "Remote Spending"
SWITCH_PAGE = "in the portal, on the Hermes Agent page"

_WHY_THIS_CARD = {
    "subPin": "the card on your subscription",
    "customerDefault": "your default card saved in the portal",
    "autoRefill": "your auto-reload card",
}

_WALLETS = {"apple_pay": "Apple Pay", "google_pay": "Google Pay"}

_ROLES = {
    Role.OWNER: "Owner",
    Role.ADMIN: "Admin",
    Role.FINANCE_ADMIN: "Finance admin",
    Role.SECURITY_ADMIN: "Security admin",
    Role.MEMBER: "Member",
}

_SQUARES = 10
RING_PARTS = 20
_COLORS = ((Decimal("0.25"), "green"), (Decimal("0.1"), "yellow"), (Decimal("-Infinity"), "red"))
_NAME = 80
MOST_NAMED = 8
_UNFORMATTED = re.compile(r"[*_~`]")


def left(balance: Decimal) -> str:
    """Say what is left of a balance; of a negative one, what is owed."""
    return f"{show(-balance)} over" if balance < 0 else f"{show(balance)} left"


def method_name(method: PaymentMethod) -> str:
    """Name a payment method as exactly as possible: `Visa ····4242 with Apple Pay`, `Link`.

    A card may have no digits or no brand (behavior 16). Not escaped.
    """
    if method.kind == LINK:
        return f"Link ({method.email})" if method.email else "Link"
    brand = method.brand or ("card" if method.is_card else method.kind.replace("_", " "))
    name = brand if any(letter.isupper() for letter in brand) else brand.title()
    if method.last4:
        name = f"{name or 'Payment method'} ····{method.last4}"
    elif method.is_card and not method.brand:
        name = "the card on file"
    wallet = _WALLETS.get(method.wallet or "")
    return f"{name or 'the payment method on file'}{f' with {wallet}' if wallet else ''}"


def method_label(method: PaymentMethod) -> str:
    """Return the label for a payment method: "Card" only if it certainly is a card."""
    return "Card" if method.is_card else "Payment method"


def why_this_method(method: PaymentMethod) -> str | None:
    """Say why this method would be charged; None if the reason is unknown (behavior 17)."""
    why = _WHY_THIS_CARD.get(method.resolved_via or "")
    return why.replace("card", "payment method") if why and not method.is_card else why


def consent(method: PaymentMethod | None) -> str:
    """Return the consent text; it says "card" only if the method certainly is a card."""
    return CONSENT.replace("card", method_word(method))


def method_word(method: PaymentMethod | None) -> str:
    """Return the word for a payment method within a sentence: `card` only if it certainly is one."""
    return "card" if method is not None and method.is_card else "payment method"


def role_name(role: Role) -> str | None:
    """Name a role; None if it is unknown."""
    return _ROLES.get(role)


def organization(name: str | None) -> str:
    """Name the organization, escaped."""
    return escape(name) if name else "your organization"


def whose(account: Account, role: Role | None = None) -> str:
    """Name the account (escaped). A person with two logins once read the wrong one and paid twice."""
    parts = [
        organization(account.organization_name),
        role_name(role) if role is not None else None,
        escape(account.email) if account.email else None,
    ]
    return " · ".join(part for part in parts if part)


def person(name: str | None, workspace: str) -> str:
    """Name a Slack person and their workspace (escaped, without formatting)."""
    named, place = (escape(_UNFORMATTED.sub("", words))[:_NAME] for words in (name or "", workspace))
    return f"{named or 'A person'} ({place})" if place else named or "A person in Slack"


def mention(key: str) -> str:
    """Mention a person or a channel by key or Slack id: Slack shows the name that its reader knows."""
    named = escape(key.rpartition(":")[2])
    if named == FORGOTTEN:
        return "somebody"
    return f"<#{named}>" if named.startswith(("C", "G")) else f"<@{named}>"


def mentions(keys: Sequence[str]) -> str:
    """Mention several people: `Ada and Grace`, `Ada, Grace and Linus`."""
    named = [mention(key) for key in keys]
    if len(named) < 2:  # noqa: PLR2004 - one needs no "and"
        return "".join(named)
    return f"{', '.join(named[:-1])} and {named[-1]}"


def some(keys: Sequence[str]) -> str:
    """Mention the first of many people, and say how many more there are."""
    if len(keys) <= MOST_NAMED:
        return mentions(keys)
    return f"{', '.join(mention(key) for key in keys[:MOST_NAMED])} and {len(keys) - MOST_NAMED} others"


def reason_words(reason: str | None) -> str:
    """Write the reason of a lock as one plain sentence after others (escaped); empty without one."""
    plain = escape(_UNFORMATTED.sub("", reason or ""))
    if not plain:
        return ""
    return f" Reason: {plain}" + ("" if plain.endswith((".", "!", "?")) else ".")


def manages(role: Role | None) -> bool:
    """Tell whether a role may spend. Texts use it to leave out a requirement that the reader meets."""
    return role in {Role.OWNER, Role.ADMIN, Role.FINANCE_ADMIN}


def switch_off(role: Role | None, name: str | None = None) -> str:
    """Say that the organization's switch is off, and who can turn it on, according to the reader's role."""
    words = f"{SWITCH} is turned off for {organization(name)}."
    if role in {Role.OWNER, Role.ADMIN}:
        return f"{words} You can turn it on {SWITCH_PAGE}."
    by = f"An owner or admin can turn it on {SWITCH_PAGE}."
    return f"{words} {by if role is not None else f'It can be turned on {SWITCH_PAGE}.'}"


def ring(left: Decimal, what: str) -> str:
    """Name the picture of the share that is left, in twentieths; `what` tells two on one screen apart."""
    return f"ring-{_steps(left, RING_PARTS)}-{what}"


def squares(left: Decimal) -> str:
    """Draw the share that is left as ten squares."""
    full = _steps(left, _SQUARES)
    color = next(color for least, color in _COLORS if left >= least)
    return f":large_{color}_square:" * full + ":white_large_square:" * (_SQUARES - full)


def _steps(left: Decimal, most: int) -> int:
    """Return the share that is left in steps of one `most`-th; none only if nothing is left."""
    full = round(max(Decimal(0), min(Decimal(1), left)) * most)
    return max(full, 1) if left > 0 else 0


def auto_reload_line(setting: AutoReload) -> str:
    """Describe auto-reload in one line (escaped)."""
    if not setting.enabled:
        return "off"
    words = f"on, below {show(setting.threshold)} reload to {show(setting.reload_to)}"
    if setting.card_kind is AutoReloadCardKind.DISTINCT:
        words += f", with {escape(method_name(setting.card)) if setting.card else 'a different card'}"
    return words
