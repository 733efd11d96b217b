"""Payment methods: a card, Link, or one that the portal adds later. The app sees only their names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

CARD = "card"
LINK = "link"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentMethod:
    """The payment method on file (docs/portal.md, section 5.3); older servers send a `card` instead.

    `kind` is the wire's word, empty if it names none. `last4` may be empty. `resolved_via` says why the
    portal charges this method. `wallet` is `apple_pay`, `google_pay`, or an unknown wallet.
    """

    kind: str = CARD
    brand: str = ""
    last4: str = ""
    wallet: str | None = None
    email: str | None = None
    resolved_via: str | None = None

    @property
    def is_card(self) -> bool:
        """Whether it certainly is a card."""
        return self.kind == CARD

    def to_text(self) -> str:
        """Return the stored form."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_text(cls, text: str) -> PaymentMethod:
        """Read the stored form; fields of a later release are ignored."""
        return cls(
            **{"kind": "", **{name: value for name, value in json.loads(text).items() if name in _FACTS}}
        )


_FACTS = frozenset(PaymentMethod.__dataclass_fields__)
