"""What is shown while somebody buys."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from blocks.help import amount_help_message
from blocks.loading import loading_message, loading_modal
from blocks.purchase import (
    AmountForm,
    add_card_modal,
    amount_modal,
    closed_modal,
    confirm_modal,
    processing_modal,
)
from bot.domain.billing import MonthlyCap
from bot.domain.charge import ChargeState
from bot.domain.offer import AmountOffer
from bot.domain.payment import PaymentMethod
from tests.support.catalogue.screen import FORM, Screen, charge, screen
from tests.support.samples import ACCOUNT, CHARGE, LINK, NOW, STATE, WALLET

SPENT_UP = replace(STATE, monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("996.8")))
TIGHT = replace(STATE, monthly_cap=MonthlyCap(limit=Decimal(1000), spent=Decimal("987.4999")))


def screens() -> list[Screen]:
    return [
        screen("amount", "Add funds", amount_modal(FORM)),
        screen("amount-another", "back from another amount", amount_modal(FORM, typed="$37")),
        screen(
            "amount-problem",
            "`/billing buy 4`",
            amount_modal(FORM, typed="$4", problem="The smallest amount is $5"),
        ),
        screen(
            "amount-tight",
            "the monthly limit leaves less than a preset",
            amount_modal(AmountForm.of(TIGHT, AmountOffer.of(TIGHT), read_at=NOW, account=ACCOUNT)),
        ),
        screen(
            "amount-closed",
            "the monthly limit leaves less than the smallest purchase",
            closed_modal(
                AmountForm.of(SPENT_UP, AmountOffer.of(SPENT_UP), read_at=NOW, account=ACCOUNT), SPENT_UP
            ),
        ),
        screen(
            "amount-unreadable",
            "`/billing buy ten`",
            amount_help_message("ten", "Enter a dollar amount, e.g. 100"),
        ),
        screen(
            "confirm",
            "an amount was chosen",
            confirm_modal(CHARGE, open_equal=None, state=STATE),
        ),
        screen(
            "confirm-link",
            "the same with Link",
            confirm_modal(replace(CHARGE, payment_method=LINK), open_equal=None, state=STATE),
        ),
        screen(
            "confirm-wallet",
            "the same with a wallet",
            confirm_modal(replace(CHARGE, payment_method=WALLET), open_equal=None, state=STATE),
        ),
        screen(
            "confirm-new-kind",
            "the same with a method that is not known here",
            confirm_modal(
                replace(CHARGE, payment_method=PaymentMethod(kind="sepa_debit")),
                open_equal=None,
                state=STATE,
            ),
        ),
        screen(
            "confirm-buy-again",
            "an equal purchase has an open end",
            confirm_modal(CHARGE, open_equal=charge(ChargeState.OVERDUE), state=STATE),
        ),
        screen(
            "confirm-buy-again-settled",
            "an equal purchase has settled, and the message is still to come",
            confirm_modal(CHARGE, open_equal=charge(ChargeState.SETTLED)),
        ),
        screen("processing", "after the confirmation", processing_modal(CHARGE)),
        screen("processing-slow", "twenty seconds later", processing_modal(CHARGE, waited=20)),
        screen("add-card", "there is no card", add_card_modal(STATE, typed="$50")),
        screen(
            "add-card-still", "checked, still none", add_card_modal(STATE, typed="$50", still_missing=True)
        ),
        screen("loading", "while the portal is asked", loading_modal("Add funds")),
        screen("waiting", "an answer takes longer than a moment", loading_message()),
    ]
