"""The monthly limit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.kit import Block, Json, actions, button, context, modal, moment, portal_button, section
from blocks.words import MANAGERS, bar, manages, whose
from bot.domain.money import show

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.billing import BillingState, MonthlyCap
    from bot.domain.identity import Account


def limit_modal(state: BillingState, account: Account, read_at: datetime) -> Json:
    """Make the modal that shows the monthly limit at `read_at` (UTC). Only the portal can change it."""
    cap = section(_none(state)) if state.monthly_cap is None else cap_block(state.monthly_cap)
    return modal(
        titles.MONTHLY_LIMIT,
        cap,
        context(_who_sets_it(state)),
        context(f"{whose(account)}\n{moment('As of', read_at)}"),
        actions(
            button("Refresh", ids.MONTHLY_LIMIT),
            portal_button(state.portal_url),
        ),
        callback_id=ids.INFO_VIEW,
    )


def _who_sets_it(state: BillingState) -> str:
    cap = state.monthly_cap
    if cap is not None and cap.is_default_ceiling:
        return "This is the portal's default ceiling. Another limit can be set on the portal."
    return "The limit is set on the portal."


def cap_block(cap: MonthlyCap) -> Block:
    """Make the block that shows the limit as text and as a bar."""
    ceiling = " (default ceiling)" if cap.is_default_ceiling else ""
    spent = f"{show(cap.spent)} of {show(cap.limit)} spent this month{ceiling}"
    words = f"*Monthly limit* · {spent}, {show(cap.left)} left"
    used_up = cap.limit <= 0 or cap.spent >= cap.limit
    share = Decimal(1) if used_up else max(Decimal(0), cap.spent) / cap.limit
    return section(f"{words}\n{bar(share)}", spoken=words)


def _none(state: BillingState) -> str:
    """Say why no limit is shown, according to the reader's role (behavior 14)."""
    if state.may_change_plan:
        return "No monthly limit is set."
    if manages(state.role):
        return "The portal shows no monthly limit to your account."
    return f"The monthly limit is not visible to your role: {MANAGERS} sees it."
