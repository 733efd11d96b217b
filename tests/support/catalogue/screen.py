"""One screen, and the made-up facts that most of them change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from blocks.kit import Message
from blocks.purchase import AmountForm
from bot.domain.billing import BillingState, Overview, Usage
from bot.domain.offer import AmountOffer
from tests.support.samples import ACCOUNT, CHARGE, CONNECTION, NOW, STATE, USAGE

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.domain.charge import Charge, ChargeState


FORM = AmountForm.of(STATE, AmountOffer.of(STATE), read_at=NOW, account=ACCOUNT)


@dataclass(frozen=True, kw_only=True)
class Screen:
    """A message or a view (modal or home), and when it is seen."""

    name: str
    when: str
    shown: Message | Json

    @property
    def json(self) -> dict[str, Any]:
        """The whole of it, as Slack gets it."""
        if isinstance(self.shown, Message):
            return {"text": self.shown.text, "blocks": list(self.shown.blocks)}
        return self.shown


def charge(state: ChargeState, **facts: Any) -> Charge:
    return replace(CHARGE, state=state, **facts)


def screen(name: str, when: str, shown: Message | Json) -> Screen:
    return Screen(name=name, when=when, shown=shown)


def overview(state: BillingState = STATE, usage: Usage | None = USAGE, **facts: Any) -> Overview:
    return Overview(**{"state": state, "usage": usage, "connection": CONNECTION, "read_at": NOW, **facts})
