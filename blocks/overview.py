"""The overview: the balance and usage, the payment method, and the possible actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.alerts import watched_line
from blocks.budget import left_line
from blocks.connection import ends_soon_blocks
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
    moment,
    overflow,
    section,
)
from blocks.limit import cap_block
from blocks.request import own_blocks, waiting_blocks
from blocks.usage import parts_line, to_use, usage_blocks, warning_words
from blocks.words import (
    MANAGERS,
    auto_reload_line,
    manages,
    method_label,
    method_name,
    switch_off,
    whose,
    why_this_method,
)
from bot.domain.billing import BalanceLevel
from bot.domain.money import show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from blocks.kit import Json
    from bot.domain.billing import BillingState, Overview, Usage
    from bot.domain.charge import Charge
    from bot.domain.request_views import RequestList
    from bot.domain.rules import RuleError

FUNDS_HELP_AT = frozenset({BalanceLevel.FREE, BalanceLevel.LOW, BalanceLevel.DEPLETED})
"""Where adding funds helps: not where a plan is missing, or the portal forbids use."""


def overview_message(
    overview: Overview, *, note: str | None = None, stopped: RuleError | None = None
) -> Message:
    """Make the answer to `/billing`. It has no bars if the usage could not be loaded.

    `stopped` is the operator's rule that currently prevents all spending here.
    """
    return message(*_overview(overview, note, stopped))


def overview_home(
    overview: Overview,
    recent: Sequence[Charge],
    *,
    stopped: RuleError | None = None,
    listed: RequestList | None = None,
) -> Json:
    """Make the App Home of a connected person.

    First what waits for them and what they have asked for, then the overview, the monthly limit, and the
    latest purchases.
    """
    cap = overview.state.monthly_cap
    requests = [] if listed is None else _requests(listed, overview.read_at)
    return home(
        *requests,
        divider() if requests else None,
        *_overview(overview, None, stopped),
        divider(),
        cap_block(cap) if cap is not None else None,
        *recent_blocks(recent),
        None
        if stopped
        else context(
            "Or type `/billing` in any channel; `/billing help` lists the rest. Only you see the answers."
        ),
    )


def _requests(listed: RequestList, now: datetime) -> list[Block | None]:
    """Return the requests that wait for the reader, and the reader's own that go on."""
    own = [each for each in listed.own if not each.is_over]
    return [*waiting_blocks(listed.waiting), *own_blocks(own, now)]


def _overview(overview: Overview, note: str | None, stopped: RuleError | None) -> list[Block | None]:
    state, usage, connection = overview.state, overview.usage, overview.connection
    payment_lines = _payment_lines(state)
    warning = warning_words(usage, applying=overview.applying) if usage else None
    helps = _funds_help(overview, spending=stopped is None) and overview.connection.may_bill
    is_due = usage is not None and usage.level in FUNDS_HELP_AT and warning is not None
    add = button("Add funds", ids.ADD_FUNDS, style="primary") if is_due and helps else None
    facts = [
        *(parts_line(usage) if usage else []),
        whose(connection.account, state.role),
        moment("As of", overview.read_at),
        *([watched_line(overview.watched)] if overview.watched else []),
        *(f"Budget: {left_line(use)}" for use in overview.budgets),
    ]
    return [
        section(note) if note else None,
        section(warning, accessory=add) if warning else None,
        header((to_use(usage) if usage else None) or f"Balance {show(state.balance)}"),
        section(facts[0], accessory=button("Refresh", ids.REFRESH)),
        context("\n".join(facts[1:])),
        *(usage_blocks(usage, applying=overview.applying, role=state.role) if usage else []),
        section("\n".join(payment_lines)) if payment_lines else None,
        context(rule_words(stopped)) if stopped else _gate(overview),
        _buttons(overview, spending=stopped is None, adds=add is None, is_due=is_due),
        *ends_soon_blocks(connection, overview.read_at),
    ]


def _payment_lines(state: BillingState) -> list[str]:
    lines = []
    if state.auto_reload is not None:
        lines.append(f"*Auto-reload:* {auto_reload_line(state.auto_reload)}")
    elif state.may_change_plan:
        lines.append("*Auto-reload:* off")
    method = state.payment_method
    if method is not None:
        why = why_this_method(method)
        name = f"*{method_label(method)}:* {escape(method_name(method))}"
        lines.append(f"{name}, {why}" if why else name)
    elif state.may_charge:
        lines.append("*Payment method:* none yet. Add a card in the portal to add funds.")
    return lines


def _gate(overview: Overview) -> Block | None:
    """Say what prevents this person from adding funds, and who can change that."""
    state = overview.state
    if not state.may_change_plan:
        return None if _is_capped(overview) else context(_ask_a_manager(state, overview.usage))
    if not state.billing_enabled:
        return context(switch_off(state.role, state.organization_name))
    if not overview.connection.may_bill:
        return context("Your connection is view-only. Choose *Enable billing* once to add funds.")
    return None


def _is_capped(overview: Overview) -> bool:
    return overview.usage is not None and overview.usage.level is BalanceLevel.MEMBER_CAPPED


def _ask_a_manager(state: BillingState, usage: Usage | None) -> str:
    if manages(state.role):
        return (
            "The portal does not let your account add funds here. Its owner can change that in the portal."
        )
    low = usage is not None and usage.level in {BalanceLevel.LOW, BalanceLevel.DEPLETED}
    ask = "Ask one of them." if low else "Ask one of them when the balance runs low."
    return f"{MANAGERS.capitalize()} can add funds. {ask}"


def _funds_help(overview: Overview, *, spending: bool) -> bool:
    """Tell whether this person may add funds, and funds help: not one who has reached their own cap."""
    return spending and overview.state.may_charge and not _is_capped(overview)


def _buttons(overview: Overview, *, spending: bool, adds: bool, is_due: bool) -> Block | None:
    """Return the ways on; `adds`: the button to add funds is not elsewhere. Slack shows five at most.

    `is_due`: more funds are needed now.
    """
    state = overview.state
    may_add = spending and state.may_charge
    enabled = overview.connection.may_bill
    style = "primary" if enabled and _funds_help(overview, spending=spending) else None
    enable = button("Enable billing", ids.ENABLE_FOR_COMMAND, value="buy", style="primary")
    asks = spending and overview.may_ask and not _is_capped(overview)
    return actions(
        button("Add funds", ids.ADD_FUNDS, style=style) if may_add and adds else None,
        button("Ask for funds", ids.ASK, style="primary" if is_due else None) if asks else None,
        button("Auto-reload", ids.AUTO_RELOAD),
        button("Plan", ids.SHOW_PLAN),
        enable if may_add and not enabled else button("Usage", ids.REFRESH_USAGE),
        overflow(_MORE, ids.MORE, portal_url=state.portal_url),
    )


_MORE = (("limit", "Monthly limit"), ("history", "History"), ("connect", "Account"), ("help", "Help"))
"""The commands in the menu, each with its words."""
