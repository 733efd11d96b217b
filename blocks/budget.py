"""Budgets in words: what is left, what goes over one, and the answers to `/billing team budget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Block, Message, actions, button, context, escape, message, section
from blocks.words import mention
from bot.domain.budget import Mode, Whose
from bot.domain.money import show
from bot.domain.policy_views import Saved

if TYPE_CHECKING:
    from bot.domain.budget import Budget, BudgetUse, TypedBudget

ARGUMENTS = "[budget WHOM AMOUNT [ask | block]]"
SHOWN = 60
_FULL = 100
_ONLY_HERE = "It counts funds added through this app, what is being paid now included."
_THEN = {
    Mode.ASK: "Over it, a second person has to agree.",
    Mode.BLOCK: "Over it, nobody can add more.",
}
HELP = (
    "A budget limits what is added through this app in a month. Type "
    "`/billing team budget @somebody $200`, a `#channel` or `all` instead of a person, and `block` at the "
    "end if nobody is to go over it: without, a second person has to agree. `off` instead of the amount "
    "ends it."
)


def for_whom(budget: Budget | TypedBudget) -> str:
    """Say for whom a budget is (escaped); nothing for that of all."""
    match budget.whose:
        case Whose.PERSON:
            return f" for {mention(budget.subject)}"
        case Whose.CHANNEL:
            return f" for <#{escape(budget.subject)}>"
    return ""


def _for_whom_or_all(budget: Budget | TypedBudget) -> str:
    return for_whom(budget) or " for all"


def named(use: BudgetUse) -> str:
    """Name a month's budget: `November's budget of $200 for @Linus` (escaped)."""
    return f"{use.month.first:%B}'s budget of {show(use.budget.amount)}{for_whom(use.budget)}"


def how_far(use: BudgetUse) -> str:
    """Say what of a month's budget is left, as a sentence without its end."""
    return f"{named(use)} {f'has {show(use.left)} left' if use.left else 'is used up'}"


def left_line(use: BudgetUse) -> str:
    """Say it where amounts stand side by side: `*$50 of $200* is left for @Linus in November`."""
    whom = _for_whom_or_all(use.budget)
    return f"*{show(use.left)} of {show(use.budget.amount)}* is left{whom} in {use.month.first:%B}"


def filled_up(use: BudgetUse) -> str:
    """Say that a budget has changed what a decision needs, as a sentence without its end."""
    return f"{named(use)} {f'has only {show(use.left)} left' if use.left else 'filled up a moment ago'}"


def budget_rows(budgets: tuple[Budget, ...]) -> str:
    """Write the budgets of a policy, each in a line; for the list of what a policy says."""
    return "\n".join(_row(each) for each in budgets) or "none"


def _row(budget: Budget) -> str:
    then = ", then no more" if budget.mode is Mode.BLOCK else ""
    return f"{show(budget.amount)} a month{_for_whom_or_all(budget)}{then}"


def budget_note(use: BudgetUse, threshold: int) -> Message:
    """Tell that so much of a month's budget, in percent, is used."""
    said = f"{threshold} % of {named(use)} is used" if threshold < _FULL else f"{named(use)} is used up"
    return message(
        section(f":warning: *{said}*: {show(use.counted)} of {show(use.budget.amount)}."),
        context(f"{_THEN[use.budget.mode]} {_ONLY_HERE}"),
        actions(button("Show the budgets", ids.TEAM)),
    )


def budget_message(saved: Saved, typed: TypedBudget, use: BudgetUse | None) -> Message:
    """Make the answer to who has set or ended a budget; `use` is it in this month."""
    if typed.amount is None:
        what = f"The budget{_for_whom_or_all(typed)}"
        said = {
            Saved.SET: f":white_check_mark: *{what} has ended.* Everybody here who may pay is told.",
            Saved.UNCHANGED: f"There is no budget{_for_whom_or_all(typed)}.",
            Saved.PROPOSED: f":hourglass_flowing_sand: *{what} ends when one more person agrees.*",
        }[saved]
        return message(section(said), _who_agrees(saved))
    what = f"Budget of {show(typed.amount)} a month{_for_whom_or_all(typed)}"
    said = {
        Saved.SET: f":white_check_mark: *{what}*. {_THEN[typed.mode]}",
        Saved.UNCHANGED: f"*{what}*, as before.",
        Saved.PROPOSED: f":hourglass_flowing_sand: *{what}, when one more person agrees.*",
    }[saved]
    so_far = f"{left_line(use)}. " if use is not None and saved is not Saved.PROPOSED else ""
    return message(section(said), context(f"{so_far}{_ONLY_HERE}"), _who_agrees(saved))


def _who_agrees(saved: Saved) -> Block | None:
    if saved is not Saved.PROPOSED:
        return None
    return context(
        "It lets more happen than before, so another person who may set it is asked. Until then nothing "
        "changes."
    )


def budget_help_message(typed: str = "") -> Message:
    """Say how a budget is typed; `typed` is what could not be read."""
    shown = escape(typed[:SHOWN]).replace("`", "")
    return message(
        section(f"`{shown}` is no budget.") if shown else None,
        section(HELP),
        actions(button("Show the budgets", ids.TEAM)),
    )
