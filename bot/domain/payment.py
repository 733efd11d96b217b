"""What the portal charges: a card, Link, or a method that it adds later. The app sees its name alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

CARD = "card"
LINK = "link"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentMethod:
    """The payment method on file (docs/portal.md, section 5.3), or of an older server its `card`.

    `kind` is the wire's word, empty when it names none. `last4` may be empty. `resolved_via` says why the
    portal charges this one; `wallet` is `apple_pay`, `google_pay`, or a wallet that is not known here.
    """

    kind: str = CARD
    brand: str = ""
    last4: str = ""
    wallet: str | None = None
    email: str | None = None
    resolved_via: str | None = None

    @property
    def is_card(self) -> bool:
        """Tell whether it is surely a card."""
        return self.kind == CARD

    def to_text(self) -> str:
        """Return the facts as text to be stored with a charge."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_text(cls, text: str) -> PaymentMethod:
        """Read what `to_text` wrote; facts that a later release adds are left out."""
        return cls(
            **{"kind": "", **{name: value for name, value in json.loads(text).items() if name in _FACTS}}
        )


_FACTS = frozenset(PaymentMethod.__dataclass_fields__)
