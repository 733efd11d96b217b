"""Reads amounts from forms: one that offers some and takes any other, and one that may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from bot.domain.money import CENT, AmountError, parse_typed, parse_wire

if TYPE_CHECKING:
    from decimal import Decimal

    from blocks.purchase import AmountForm
    from bot.slack.request import SlackRequest


def chosen_amount(request: SlackRequest, form: AmountForm) -> Decimal:
    """Return the amount that was typed, or else the chosen one: a choice cannot be taken back in Slack.

    What stood there at first gives way to a choice that the person has changed.

    Raises:
        AmountError: there is none, or it cannot be read.
    """
    typed = (request.entered(ids.AMOUNT_CUSTOM) or "").strip()
    chosen = request.entered(ids.AMOUNT_PRESET) or ""
    is_left_over = typed == form.typed and parse_wire(chosen) not in {None, form.usual}
    return parse_typed(chosen if is_left_over or not typed else typed)


def optional_amount(
    request: SlackRequest, block_id: str, problems: dict[str, str], words: str
) -> Decimal | None:
    """Return an amount that may be left out, in whole cents; `problems` gets these words if it is none."""
    typed = request.entered(block_id)
    if not typed:
        return None
    try:
        amount = parse_typed(typed).quantize(CENT)
    except AmountError:
        problems[block_id] = words
        return None
    if amount <= 0:
        problems[block_id] = words
    return amount
