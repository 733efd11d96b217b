"""The monthly limit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.kit import Block, Json, actions, button, context, drawn, modal, moment, portal_button, section
from blocks.words import MANAGERS, manages, ring, squares, whose
from bot.domain.money import show

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.billing import BillingState, MonthlyCap
    from bot.domain.identity import Account


def limit_modal(state: BillingState, account: Account, read_at: datetime) -> Json:
    """Make the modal that shows the monthly limit at `read_at` (UTC). Only the portal can change it."""
    who_sets_it = _who_sets_it(state)
    cap = section(_none(state)) if state.monthly_cap is None else cap_block(state.monthly_cap)
    return modal(
        titles.MONTHLY_LIMIT,
        cap,
        None if who_sets_it is None else context(who_sets_it),
        context(f"{whose(account)}\n{moment('As of', read_at)}"),
        actions(
            button("Refresh", ids.MONTHLY_LIMIT),
            portal_button(state.portal_url),
        ),
        callback_id=ids.INFO_VIEW,
    )


def _who_sets_it(state: BillingState) -> str | None:
    cap = state.monthly_cap
    if cap is None:
        return "You can set one in the portal." if state.may_change_plan else None
    if cap.is_default_ceiling:
        return "You can set another limit in the portal."
    return "The limit is set in the portal."


def cap_block(cap: MonthlyCap) -> Block:
    """Make the block that shows the limit as text, and as squares."""
    ceiling = " (the portal's default)" if cap.is_default_ceiling else ""
    words = f"*Monthly limit* · {show(cap.left)} left of {show(cap.limit)} this month{ceiling}"
    used_up = cap.limit <= 0 or cap.spent >= cap.limit
    left = Decimal(0) if used_up else min(Decimal(1), cap.left / cap.limit)
    return drawn(words, squares(left), picture=ring(left, "limit"))


def _none(state: BillingState) -> str:
    """Say why no limit is shown, according to the reader's role (behavior 14)."""
    if state.may_change_plan:
        return "No monthly limit set."
    if manages(state.role):
        return "The portal shows no monthly limit to your account."
    return f"Only {MANAGERS} can see the monthly limit."
