"""The overview: what there is to use, how it is paid for, and what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.errors import rule_words
from blocks.history import recent_blocks
from blocks.kit import (
    Block,
    Message,
    actions,
    button,
    context,
    divider,
    escape,
    header,
    home,
    message,
    section,
)
from blocks.limit import cap_block
from blocks.usage import usage_blocks
from blocks.words import auto_reload_line, card_name, organisation, role_name, why_this_card
from bot.domain.money import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blocks.kit import Json
    from bot.domain.billing import BillingState, Usage
    from bot.domain.charge import Charge
    from bot.domain.rules import RuleError


def overview_message(
    state: BillingState,
    usage: Usage | None,
    *,
    note: str | None = None,
    stopped: RuleError | None = None,
) -> Message:
    """Make the answer to `/billing`. Without `usage` (it could not be had) the bars are left out.

    `stopped` is the operator's rule that keeps everybody from spending here.
    """
    return message(*_overview(state, usage, note, stopped))


def overview_home(
    state: BillingState,
    usage: Usage | None,
    recent: Sequence[Charge],
    *,
    stopped: RuleError | None = None,
) -> Json:
    """Make the App Home of somebody who is connected: the overview, the limit, the last purchases."""
    cap = state.monthly_cap
    return home(
        *_overview(state, usage, None, stopped),
        divider(),
        cap_block(cap) if cap is not None else None,
        *recent_blocks(recent),
        None
        if stopped
        else context(
            "Or type `/billing` in any channel; `/billing help` lists the rest. Only you see the answers."
        ),
    )


def _overview(
    state: BillingState, usage: Usage | None, note: str | None, stopped: RuleError | None
) -> list[Block | None]:
    return [
        section(note) if note else None,
        header(f"Balance {show(state.balance)}"),
        context(_who(state)),
        *(usage_blocks(usage) if usage else []),
        section("\n".join(_payment_lines(state))) if _payment_lines(state) else None,
        context(rule_words(stopped)) if stopped else _gate(state),
        _buttons(state, spending=stopped is None),
    ]


def _who(state: BillingState) -> str:
    role = role_name(state.role)
    name = organisation(state.organisation_name)
    return f"{name} · {role}" if role else name


def _payment_lines(state: BillingState) -> list[str]:
    lines = []
    if state.auto_reload is not None:
        lines.append(f"*Auto-reload:* {auto_reload_line(state.auto_reload)}")
    if state.card is not None:
        why = why_this_card(state.card)
        name = escape(card_name(state.card))
        lines.append(f"*Card:* {name}, {why}" if why else f"*Card:* {name}")
    elif state.may_charge:
        lines.append("*Card:* none yet. Add one on the portal to add funds.")
    return lines


def _gate(state: BillingState) -> Block | None:
    if not state.may_change_plan:
        return context("Owners and admins can add funds. Ask one of them when the balance runs low.")
    if not state.billing_enabled:
        name = organisation(state.organisation_name)
        return context(
            f"Buying from Slack is switched off for {name}. An admin can turn it on in the portal."
        )
    return None


def _buttons(state: BillingState, *, spending: bool) -> Block | None:
    portal = button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url)
    if not state.may_charge:
        return actions(portal)
    return actions(
        button("Add funds", ids.ADD_FUNDS, style="primary") if spending else None,
        button("Auto-reload", ids.AUTO_RELOAD),
        button("Monthly limit", ids.MONTHLY_LIMIT),
        portal,
    )
