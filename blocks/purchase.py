"""Buying: choose an amount, confirm it, and meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
from blocks.words import CONSENT, organisation
from bot.domain.charge import Charge, ChargeKind, ChargeState
from bot.domain.money import AmountError, AmountProblem, Bounds, parse_wire, show
from bot.domain.rules import Rules

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState

_NO_RULES = Rules()
_MOST_PRESETS = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class AmountForm:
    """What the modal that asks for an amount is made of, and remembers between requests.

    The bounds are here to answer at once; the portal's own decide before anything is proposed.
    """

    presets: tuple[Decimal, ...]
    bounds: Bounds
    balance: Decimal | None
    left: Decimal | None = None
    """What the monthly limit leaves."""

    @classmethod
    def of(cls, state: BillingState, rules: Rules = _NO_RULES) -> AmountForm:
        """Make the form from the billing state, as far as the operator's rules go."""
        bounds, presets = rules.narrow(state.bounds, state.presets)
        return cls(
            presets=presets[:_MOST_PRESETS],
            bounds=bounds,
            balance=state.balance,
            left=state.monthly_cap.left if state.monthly_cap else None,
        )

    def remember(self) -> str:
        """Write the form for a view's private metadata."""
        return json.dumps(
            {
                "presets": [str(amount) for amount in self.presets],
                "bounds": [_text(self.bounds.minimum), _text(self.bounds.maximum)],
                "balance": _text(self.balance),
                "left": _text(self.left),
            }
        )

    @classmethod
    def recall(cls, remembered: str) -> AmountForm:
        """Read it back; what cannot be read is an empty form."""
        try:
            found = json.loads(remembered)
            minimum, maximum = (parse_wire(bound) for bound in found["bounds"])
            presets = (parse_wire(amount) for amount in found["presets"])
            return cls(
                presets=tuple(amount for amount in presets if amount is not None),
                bounds=Bounds(minimum=minimum, maximum=maximum),
                balance=parse_wire(found["balance"]),
                left=parse_wire(found["left"]),
            )
        except (ValueError, KeyError, TypeError):
            return cls(presets=(), bounds=Bounds(), balance=None)


def amount_modal(
    form: AmountForm, *, chosen: str | None = None, typed: str | None = None, problem: str | None = None
) -> Json:
    """Make the modal that asks for an amount.

    `chosen` is a preset's value or CUSTOM, `typed` an amount as a person writes it. The line to type in
    is there only for another amount than the presets.
    """
    options = [(format(amount, "f"), show(amount)) for amount in form.presets]
    if typed and chosen is None:
        chosen = next((value for value, words in options if words == typed), ids.CUSTOM)
    other = chosen == ids.CUSTOM or not options
    choice = radios(
        "Amount",
        [*options, (ids.CUSTOM, "Another amount")],
        block_id=ids.AMOUNT_PRESET,
        action_id=ids.AMOUNT_PRESET,
        chosen=chosen,
    )
    line = text_input(
        "Another amount" if options else "Amount",
        block_id=ids.AMOUNT_CUSTOM,
        action_id=ids.AMOUNT_CUSTOM,
        placeholder="e.g. 100",
        initial=typed,
        hint=_bounds_hint(form.bounds),
    )
    return modal(
        "Add funds",
        section(_standing(form)) if form.balance is not None else None,
        section(f"*{problem}.*") if problem else None,
        choice if options else None,
        line if other else None,
        callback_id=ids.AMOUNT_VIEW,
        submit="Continue",
        close="Cancel",
        private_metadata=form.remember(),
    )


def confirm_modal(charge: Charge, *, why: str | None, open_equal: Charge | None) -> Json:
    """Make the modal in which the person agrees to one charge; `why` says why this card.

    It carries the charge's id and that of an equal open one it warns of, nothing else.
    """
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
            button("Manage on portal", ids.MANAGE_ON_PORTAL, url=charge.portal_url),
            button("Back", ids.BACK_TO_AMOUNT, value=charge.id),
        ),
        callback_id=ids.CONFIRM_VIEW,
        submit=f"Pay {show(charge.amount)} now",
        close="Cancel",
        private_metadata=f"{charge.id} {open_equal.id}" if open_equal else charge.id,
        notify_on_close=True,
    )


def processing_modal(charge: Charge) -> Json:
    """Make the modal after the yes; the outcome takes its place."""
    doing = f"Adding *{show(charge.amount)}* to your balance…"
    if charge.kind is ChargeKind.UPGRADE:
        doing = f"Upgrading to *{escape(charge.tier_name or 'the new plan')}*…"
    return modal(
        "Processing",
        section(doing),
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


def _standing(form: AmountForm) -> str:
    words = f"Your balance is *{show(form.balance)}*."
    if form.left is None:
        return words
    return f"{words} The monthly limit leaves *{show(form.left)}*."


def _bounds_hint(bounds: Bounds) -> str | None:
    if bounds.minimum is not None and bounds.maximum is not None:
        return f"Between {show(bounds.minimum)} and {show(bounds.maximum)}"
    if bounds.minimum is not None:
        return f"{show(bounds.minimum)} or more"
    if bounds.maximum is not None:
        return f"{show(bounds.maximum)} at most"
    return None


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _buy_again(other: Charge) -> str:
    when = moment("from", other.confirmed_at or other.created_at)
    if other.state is ChargeState.SETTLED:
        return (
            f"*Buy again?* Your purchase of {show(other.amount)} {when} has just gone through. "
            "If you pay now, you pay twice."
        )
    return (
        f"*Buy again?* Your purchase of {show(other.amount)} {when} has not ended yet. "
        "If it goes through as well, you pay twice."
    )
