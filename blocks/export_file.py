"""Purchases as CSV (RFC 4180): for whoever keeps the books, and to be held against the audit log."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from blocks.words import method_name
from bot.domain.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.storage.exports import Purchase, Sealed

COLUMNS = (
    "purchase",
    "state",
    "amount",
    "currency",
    "organization",
    "asked_at",
    "requester_id",
    "requester",
    "reason",
    "team",
    "first_approver",
    "first_at",
    "payer",
    "confirmed_at",
    "settled_at",
    "card",
    "failure",
    "budget_lines",
    "policy_version",
    "portal_charge_id",
)
MOST_WORDS = 2000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def csv_of(purchases: Sequence[Purchase], sealed: Sealed, names: Mapping[str, str] | None = None) -> str:
    """Write the header, a line for each purchase, and the audit log's head; lines end with CR LF.

    Instants are UTC, what is not known is empty, people are Slack ids, with their names where `names` has
    them. What people wrote cannot become a formula.
    """
    written = io.StringIO(newline="")
    out = csv.writer(written)
    out.writerow(COLUMNS)
    out.writerows(_line(each, names or {}) for each in purchases)
    entries = "none" if sealed.first is None else f"{sealed.first} to {sealed.last}"
    written.write(f"# audit: head {sealed.head}, entries {entries}\r\n")
    return written.getvalue()


def _line(purchase: Purchase, names: Mapping[str, str]) -> list[str]:
    charge = purchase.charge
    method = None if charge.payment_method is None else method_name(charge.payment_method)
    facts = {
        "purchase": charge.id,
        "state": charge.state.value,
        "amount": f"{charge.display_amount:f}",
        "currency": "USD",
        "organization": _words(charge.organization_name or charge.organization_id),
        "asked_at": _instant(purchase.asked_at),
        "requester_id": purchase.requester,
        "requester": _words(names.get(purchase.requester or "")),
        "reason": _words(purchase.reason),
        "team": purchase.channel,
        "first_approver": _person(purchase.first_approver, names),
        "first_at": _instant(purchase.first_at),
        "payer": _person(charge.identity.user, names),
        "confirmed_at": _instant(charge.confirmed_at),
        "settled_at": _instant(purchase.settled_at),
        "card": _words(method),
        "failure": None if charge.failure is None else charge.failure.value,
        "budget_lines": "; ".join(f"{each.name} {each.amount:f}" for each in purchase.budgets),
        "policy_version": None if purchase.policy_version is None else str(purchase.policy_version),
        "portal_charge_id": _words(charge.portal_charge_id),
    }
    return [facts.get(name) or "" for name in COLUMNS]


def _person(user: str | None, names: Mapping[str, str]) -> str | None:
    if user is None or user not in names:
        return user
    return _words(f"{names[user]} ({user})")


def _words(words: str | None) -> str | None:
    """Return foreign words on one line, so that no spreadsheet takes them for a formula."""
    said = None if words is None else clean(words, MOST_WORDS)
    return f"'{said}" if said is not None and said.startswith(FORMULA) else said


def _instant(when: datetime | None) -> str | None:
    return None if when is None else f"{when:%Y-%m-%dT%H:%M:%SZ}"
