"""The first of two who decide on a request: what they agreed to, bound to amount, version and card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

from bot.domain.payment import PaymentMethod

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity


class VoteKind(StrEnum):
    """How somebody became the first of two."""

    ASKED = "asked"
    """They asked for the funds themselves and may charge."""
    AGREED = "agreed"


class Voided(StrEnum):
    """Why a vote does not count any more."""

    EDITED = "edited"
    LEFT = "left"
    """Its person is not connected to the organization with that account any more."""
    NOT_CONFIRMED = "not_confirmed"
    """Asked again before the payment, the portal did not say that they may charge."""
    CARD = "card"
    """The payment method is another one now, or another was asked for."""


def method_key(method: PaymentMethod) -> str:
    """Return one text for a payment method as people see it; why the portal charges it does not matter."""
    facts = (method.kind, method.brand, method.last4, method.wallet or "", method.email or "")
    return json.dumps(facts)


def method_of(key: str) -> PaymentMethod:
    """Return the payment method of such a text."""
    kind, brand, last4, wallet, email = json.loads(key)
    return PaymentMethod(kind=kind, brand=brand, last4=last4, wallet=wallet or None, email=email or None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One person's yes to a request in one version; another person pays. Times are UTC."""

    id: str
    request_id: str
    version: int
    person: Identity
    account_id: str
    kind: VoteKind
    method: str
    """The payment method that was agreed to, by `method_key`."""
    seen: str
    """The one that the portal showed this person then; asked again, it must show the same."""
    at: datetime
    void_at: datetime | None = None
    void_why: Voided | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        """What is signed. A workspace that joins a grid keeps its votes: the person is the Slack user."""
        return (
            "vote",
            self.id,
            self.request_id,
            str(self.version),
            self.person.user,
            self.account_id,
            self.kind.value,
            self.method,
            self.seen,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
        )
