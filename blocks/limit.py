"""The monthly limit, as it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Block, Json, actions, button, context, modal, section
from blocks.words import bar
from bot.domain.money import show

if TYPE_CHECKING:
    from bot.domain.billing import BillingState, MonthlyCap


def limit_modal(state: BillingState) -> Json:
    """Make the modal of the monthly limit; it is changed on the portal only."""
    cap = section(_none(state)) if state.monthly_cap is None else cap_block(state.monthly_cap)
    return modal(
        "Monthly limit",
        cap,
        context("The limit is set on the portal."),
        actions(button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url)),
        callback_id=ids.INFO_VIEW,
    )


def cap_block(cap: MonthlyCap) -> Block:
    """Make the limit's bar, said in words too."""
    ceiling = " (default ceiling)" if cap.is_default_ceiling else ""
    spent = f"{show(cap.spent)} of {show(cap.limit)} spent this month{ceiling}"
    words = f"*Monthly limit* · {spent}, {show(cap.left)} left"
    share = min(cap.spent / cap.limit, Decimal(1)) if cap.limit > 0 else Decimal(1)
    return section(f"{words}\n{bar(share)}", spoken=words)


def _none(state: BillingState) -> str:
    words = "No monthly cap visible."
    return words if state.may_change_plan else f"{words} Owners and admins see it."
