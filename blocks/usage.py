"""Usage: what is left of the plan and the top-ups."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import (
    Block,
    Message,
    actions,
    button,
    context,
    day,
    drawn,
    escape,
    header,
    message,
    moment,
    section,
)
from blocks.words import manages, ring, squares, whose
from bot.domain.billing import BalanceLevel
from bot.domain.money import nearest_cents, show

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.billing import AccountInfo, MemberCap, PlanUsage, Role, Usage

ROUNDING = Decimal("0.02")
_LEVELS = {
    BalanceLevel.FREE: "You have no plan and no top-ups yet.",
    BalanceLevel.LOW: ":warning: *Running low:* less than $5 left to use.",
    BalanceLevel.HEALTHY: None,
    BalanceLevel.DEPLETED: ":warning: *Nothing left to use* until funds are added.",
    BalanceLevel.NEEDS_PLAN: ":warning: *Paid use needs a plan.* Choose one in the portal.",
    BalanceLevel.BLOCKED: ":warning: *The portal does not allow paid use* right now, and does not say why.",
    BalanceLevel.MEMBER_CAPPED: None,
    BalanceLevel.UNKNOWN: None,
}


def usage_message(info: AccountInfo, read_at: datetime, *, applying: str | None = None) -> Message:
    """Make the answer to `/billing usage`, with the values at `read_at` (UTC)."""
    blocks = usage_blocks(info.usage, applying=applying)
    if info.usage.topped_up and to_use(info.usage) is None:
        lasting = ", never expires" if info.usage.topped_up > 0 else ""
        blocks.append(section(f"*Top-ups* · {show(info.usage.topped_up)} left{lasting}"))
    warning = warning_words(info.usage, applying=applying)
    return message(
        section(warning) if warning else None,
        header(to_use(info.usage) or "Usage"),
        context("\n".join([*parts_line(info.usage), whose(info.account), moment("As of", read_at)])),
        *(blocks or ([] if warning else [section("The portal does not say what there is to use.")])),
        actions(button("Back", ids.BACK_TO_OVERVIEW), button("Refresh", ids.REFRESH_USAGE)),
    )


def to_use(usage: Usage) -> str | None:
    """Say what can be used in all; None if nothing can, or that is not known."""
    if usage.usable is None or usage.level not in {BalanceLevel.HEALTHY, BalanceLevel.LOW}:
        return None
    shown = sum((nearest_cents(part.amount) for part in _parts(usage)), Decimal(0))
    # Where the parts are shown below, the whole is their sum to the cent.
    whole = shown if abs(shown - usage.usable) < ROUNDING else usage.usable
    return f"{show(whole)} to use"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A part of what can be used: how it is named beside another part, and as the only one."""

    amount: Decimal
    beside: str
    alone: str


def _parts(usage: Usage) -> list[_Part]:
    """Return what is left of the plan and the top-ups, as far as it is known."""
    plan, topped_up = usage.plan, usage.topped_up
    parts = []
    if plan is not None and plan.left is not None and plan.left > 0:
        until = plan.ends_on or plan.renews_on
        named = "your plan" + (f" until {day(until)}" if until else "")
        parts.append(_Part(amount=plan.left, beside=f"of {named}", alone=named))
    if topped_up is not None and topped_up > 0:
        named = "balance (top-ups)"
        parts.append(_Part(amount=topped_up, beside=named, alone=f"your {named}"))
    return parts


def parts_line(usage: Usage) -> list[str]:
    """Say in one line what the whole consists of; empty if there is no whole, or no part is known."""
    parts = [] if to_use(usage) is None else _parts(usage)
    if len(parts) == 1:
        return [f"All from {parts[0].alone}"]
    return [" · ".join(f"{show(part.amount)} {part.beside}" for part in parts)] if parts else []


def warning_words(usage: Usage, *, applying: str | None = None) -> str | None:
    """Warn of a low balance, or say why there is nothing to use; None if all is well."""
    # What was bought a moment ago is not there yet.
    return None if applying is not None else _LEVELS[usage.level]


def usage_blocks(usage: Usage, *, applying: str | None = None, role: Role | None = None) -> list[Block]:
    """Make a block for each known value but the top-ups.

    `applying` is the name of a plan that was paid for a moment ago. `role` is the reader's, if known.
    """
    blocks = []
    if applying is not None:
        blocks.append(applying_block(applying))
    elif usage.plan is not None:
        blocks.append(plan_block(usage.plan))
    if usage.plan is not None and usage.plan.left is None and usage.topped_up is None and applying is None:
        blocks.append(context("The portal does not say how much is left."))
    if usage.member_cap is not None:
        blocks.append(_member_cap_block(usage.member_cap))
    if usage.level is BalanceLevel.MEMBER_CAPPED:
        remedy = "you can raise the limit in the portal" if manages(role) else _ASK_AN_ADMIN
        blocks.append(section(f"{_MEMBER_CAPPED} {remedy}."))
    return blocks


_ASK_AN_ADMIN = "ask an admin to raise it in the portal"
_MEMBER_CAPPED = ":warning: *You have reached your own spending limit here.* Adding funds does not help:"


def applying_block(plan: str) -> Block:
    """Say that a plan was paid for and the portal does not show it yet."""
    return section(
        f":hourglass_flowing_sand: *Applying {escape(plan)}…* The portal shows it within a minute."
    )


def plan_block(plan: PlanUsage) -> Block:
    """Make the block of a plan's known values, as text, and as squares."""
    share = None if plan.used_share is None else 1 - plan.used_share
    parts = [
        f"*{escape(plan.name)} plan*" if plan.name else "*Plan*",
        None if share is None else f"{share:.0%} left",
        _numbers(plan),
        None if plan.renews_on is None else f"renews {day(plan.renews_on)}",
        None if plan.ends_on is None else f"ends {day(plan.ends_on)}",
    ]
    words = " · ".join(part for part in parts if part)
    return section(words) if share is None else drawn(words, squares(share), picture=ring(share, "plan"))


def _numbers(plan: PlanUsage) -> str | None:
    """Say how much is left; "X of Y" only if the used share is known."""
    if plan.left is None:
        return f"{show(plan.monthly)} to use each month" if plan.monthly else None
    left = show(max(Decimal(0), plan.left))
    words = f"{left} left"
    if plan.used_share is not None:
        words = f"{left} of {show(plan.monthly)}"
    if plan.rollover is not None and plan.rollover > 0:
        words += f", {show(plan.rollover)} of it rolled over"
    return f"{words}, {show(plan.overage)} over" if plan.overage else words


def _member_cap_block(cap: MemberCap) -> Block:
    """Describe a member's own spending limit with the amounts that are known."""
    spent = None if cap.spent is None else f"{show(cap.spent)} spent"
    if cap.limit is not None:
        spent = f"{spent} of {show(cap.limit)}" if spent else f"limit {show(cap.limit)}"
    left = None if cap.left is None else f"{show(max(Decimal(0), cap.left))} left"
    known = ", ".join(part for part in (spent, left) if part)
    return section(f"*Your own spending limit* · {known}" if known else "*Your own spending limit*")
