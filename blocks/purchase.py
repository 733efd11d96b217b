"""Buying: choose an amount, confirm it, and meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import (
    Json,
    actions,
    button,
    context,
    escape,
    fields,
    modal,
    moment,
    radios,
    section,
    text_input,
)
from blocks.words import CONSENT, organisation, why_this_card
from bot.domain.money import AmountError, AmountProblem, Bounds, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.charge import Charge

_MOST_PRESETS = 9


def amount_modal(
    presets: Sequence[Decimal],
    bounds: Bounds,
    *,
    remembered: str,
    balance: Decimal | None = None,
    typed: str | None = None,
    problem: str | None = None,
) -> Json:
    """Make the modal that asks for an amount. `remembered` is what the submission gets back."""
    options = [(format(amount, "f"), show(amount)) for amount in presets[:_MOST_PRESETS]]
    chosen = next((value for value, words in options if typed and words == typed), None)
    custom = typed if chosen is None else None
    choice = radios(
        "Amount",
        [*options, (ids.CUSTOM, "Another amount")],
        block_id=ids.AMOUNT_PRESET,
        action_id=ids.AMOUNT_PRESET,
        chosen=chosen or (ids.CUSTOM if custom else None),
    )
    return modal(
        "Add funds",
        section(f"Your balance is *{show(balance)}*.") if balance is not None else None,
        section(f"*{problem}*") if problem else None,
        choice if options else None,
        text_input(
            "Another amount" if options else "Amount",
            block_id=ids.AMOUNT_CUSTOM,
            action_id=ids.AMOUNT_CUSTOM,
            placeholder="e.g. 100",
            initial=custom,
            hint=_bounds_hint(bounds),
            optional=bool(options),
        ),
        callback_id=ids.AMOUNT_VIEW,
        submit="Continue",
        close="Cancel",
        private_metadata=remembered,
    )


def confirm_modal(charge: Charge, state: BillingState, *, open_equal: Charge | None) -> Json:
    """Make the modal in which the person agrees to one charge. It carries the charge's id, nothing else."""
    card = state.card
    why = why_this_card(card) if card else None
    return modal(
        "Confirm purchase",
        section(_buy_again(open_equal)) if open_equal else None,
        section(
            f"Add *{show(charge.amount)}* to the balance of *{organisation(charge.organisation_name)}*."
        ),
        fields(
            [
                ("Total", show(charge.amount)),
                ("Card", escape(charge.card or "") + (f"\n{why}" if why else "")),
            ]
        ),
        section(CONSENT),
        actions(
            button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url),
            button("Back", ids.BACK_TO_AMOUNT, value=charge.id),
        ),
        callback_id=ids.CONFIRM_VIEW,
        submit=f"Pay {show(charge.amount)} now",
        close="Cancel",
        private_metadata=charge.id,
        notify_on_close=True,
    )


def processing_modal(charge: Charge) -> Json:
    """Make the modal after the yes; the outcome takes its place."""
    return modal(
        "Processing",
        section(f"Adding *{show(charge.amount)}* to your balance…"),
        context("You can close this. A direct message from this app tells you how it ends."),
        callback_id=ids.INFO_VIEW,
    )


def add_card_modal(state: BillingState, *, typed: str | None, still: bool = False) -> Json:
    """Make the modal for an organisation without a card; `still`: it was checked and there is none yet."""
    return modal(
        "Add a card first",
        section("There is still no card on file.") if still else None,
        section(
            "Adding funds needs a card, and cards are added on the portal: this app never sees one.\n"
            "Add it there, then come back here and check again."
        ),
        actions(
            button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url, style="primary"),
            button("I've added it, check again", ids.CHECK_CARD),
            button("Back", ids.BACK_TO_AMOUNT),
        ),
        callback_id=ids.CARD_VIEW,
        private_metadata=typed or "",
    )


def amount_problem(error: AmountError) -> str:
    """Say what is wrong with an amount, in one sentence."""
    match error.problem:
        case AmountProblem.UNREADABLE:
            return "Enter a dollar amount, e.g. 100"
        case AmountProblem.TOO_PRECISE:
            return "Use at most two decimals, e.g. 12.50"
        case AmountProblem.NOT_POSITIVE:
            return "Enter an amount above $0"
        case AmountProblem.TOO_SMALL:
            return f"The smallest amount is {show(error.limit)}"
        case AmountProblem.TOO_LARGE:
            return f"The largest amount is {show(error.limit)}"


def _bounds_hint(bounds: Bounds) -> str | None:
    if bounds.minimum is not None and bounds.maximum is not None:
        return f"Between {show(bounds.minimum)} and {show(bounds.maximum)}"
    if bounds.minimum is not None:
        return f"{show(bounds.minimum)} or more"
    if bounds.maximum is not None:
        return f"{show(bounds.maximum)} at most"
    return None


def _buy_again(other: Charge) -> str:
    when = moment("from", other.confirmed_at or other.created_at)
    return (
        f"*Buy again?* Your purchase of {show(other.amount)} {when} has not ended yet. "
        "If it goes through as well, you pay twice."
    )
