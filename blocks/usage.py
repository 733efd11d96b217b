"""Usage: the plan's bar, the top-up line, and how much is left."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from blocks.kit import Block, Message, context, day, escape, header, message, section
from blocks.words import bar, organisation
from bot.domain.billing import BalanceLevel
from bot.domain.money import show

if TYPE_CHECKING:
    from bot.domain.billing import PlanUsage, Usage

_LEVELS = {
    BalanceLevel.FREE: "You have no plan and no top-ups yet.",
    BalanceLevel.LOW: "Running low: less than $5 left to use.",
    BalanceLevel.HEALTHY: None,
    BalanceLevel.DEPLETED: "Nothing left to use. Add funds to go on.",
}


def usage_message(usage: Usage, organisation_name: str | None) -> Message:
    """Make the answer to `/billing usage`."""
    return message(header("Usage"), context(organisation(organisation_name)), *usage_blocks(usage))


def usage_blocks(usage: Usage) -> list[Block]:
    """Make the bars."""
    blocks = []
    if usage.plan is not None:
        blocks.append(plan_block(usage.plan))
    if usage.topped_up is not None:
        blocks.append(section(f"*Top-ups* · {show(usage.topped_up)} left, never expires"))
    level = _LEVELS[usage.level]
    if level is not None:
        blocks.append(context(level))
    return blocks


def plan_block(plan: PlanUsage) -> Block:
    """Make the plan's bar, said in words too."""
    name = f"{escape(plan.name)} plan" if plan.name else "Plan"
    left = show(max(Decimal(0), plan.left))
    words = f"*{name}* · {left} of {show(plan.monthly)} left this month"
    if plan.overage:
        words += f", {show(plan.overage)} over"
    if plan.renews_on is not None:
        words += f", renews {day(plan.renews_on)}"
    return section(f"{words}\n{bar(plan.used_share)}  {plan.used_share:.0%} used", spoken=words)
