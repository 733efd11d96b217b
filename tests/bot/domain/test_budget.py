"""Budgets: what is typed, what is counted, and what goes over one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.budget import (
    Budget,
    BudgetError,
    BudgetUse,
    Mode,
    Month,
    Spent,
    Whose,
    over,
    read_budget,
    uses_of,
)
from bot.domain.money import AmountError
from bot.domain.policy import Before, Hold, Policy, is_looser

NOVEMBER = Month.beginning(date(2026, 11, 1), "Europe/London")
LINUS = Budget(whose=Whose.PERSON, subject="U0LINUS", amount=Decimal(200), set_by="U0ADA")
RESEARCH = Budget(whose=Whose.CHANNEL, subject="C0LAB", amount=Decimal(300), set_by="U0ADA")
ALL = Budget(whose=Whose.ALL, amount=Decimal(1000), mode=Mode.BLOCK, set_by="U0ADA")

amounts = st.decimals(min_value=Decimal("0.01"), max_value=5000, places=2)
budgets = st.sampled_from([LINUS, RESEARCH, ALL])
spents = st.builds(
    Spent,
    amount=amounts,
    user=st.sampled_from(["U0LINUS", "U0GRACE"]),
    channel=st.sampled_from([None, "C0LAB", "C0OTHER"]),
)


@pytest.mark.parametrize(
    ("typed", "name", "amount", "mode"),
    [
        ("budget <@U0LINUS|linus> $200", "U0LINUS", "200", Mode.ASK),
        ("budget <@U0LINUS> 200 block", "U0LINUS", "200", Mode.BLOCK),
        ("Budget <#C0LAB|lab>  1,000.50  ASK", "C0LAB", "1000.50", Mode.ASK),
        ("budget <#G0LAB> 5 usd", "G0LAB", "5", Mode.ASK),
        ("budget all 1000 block", "all", "1000", Mode.BLOCK),
        ("budget ALL off", "all", None, Mode.ASK),
    ],
)
def test_a_budget_is_typed(typed: str, name: str, amount: str | None, mode: Mode) -> None:
    read = read_budget(typed)
    assert (read.name, read.amount, read.mode) == (name, amount and Decimal(amount), mode)


@pytest.mark.parametrize(
    "typed",
    [
        "budget",
        "budget 200",
        "budget @linus 200",
        "budget <@U0LINUS>",
        "budget all off block",
        "budgets all 5",
    ],
)
def test_what_is_no_budget_is_not_read(typed: str) -> None:
    with pytest.raises(BudgetError):
        read_budget(typed)


@pytest.mark.parametrize("typed", ["budget all -5", "budget all 0", "budget all 1.234", "budget all x y"])
def test_what_is_no_amount_is_not_read(typed: str) -> None:
    with pytest.raises(AmountError):
        read_budget(typed)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    try:
        read = read_budget(typed)
    except (BudgetError, AmountError):
        return
    assert read.amount is None or read.amount > 0


@pytest.mark.parametrize(
    ("zone", "opens", "closes"),
    [
        ("UTC", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 12, 1, 5, tzinfo=UTC)),
        ("Asia/Tokyo", datetime(2026, 10, 31, 15, tzinfo=UTC), datetime(2026, 11, 30, 15, tzinfo=UTC)),
    ],
)
def test_a_month_is_the_organizations_own(zone: str, opens: datetime, closes: datetime) -> None:
    month = Month.at(datetime(2026, 11, 30, 12, tzinfo=UTC), zone)
    assert (month.opens_at, month.closes_at, str(month)) == (opens, closes, "2026-11")


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2030, 1, 1)))  # noqa: DTZ001
def test_every_moment_is_in_its_month_and_months_meet(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    month = Month.at(moment, "America/New_York")
    assert month.opens_at <= moment < month.closes_at
    assert Month.at(month.closes_at, "America/New_York").opens_at == month.closes_at


@given(budgets, st.lists(spents, max_size=8), amounts)
def test_a_budget_counts_its_own_and_holds_up_what_goes_over_it(
    budget: Budget, spent: list[Spent], amount: Decimal
) -> None:
    (use,) = uses_of([budget], NOVEMBER, spent)
    theirs = {
        Whose.PERSON: [each for each in spent if each.user == budget.subject],
        Whose.CHANNEL: [each for each in spent if each.channel == budget.subject],
        Whose.ALL: spent,
    }[budget.whose]
    assert use.counted == sum(each.amount for each in theirs)
    assert use.left == max(Decimal(0), budget.amount - use.counted)
    hold = Hold.of(Policy(budgets=(budget,)), amount, Before(uses=(use,)))
    assert (hold is not None) == (amount > budget.amount - use.counted)
    assert hold is None or hold.is_final == (budget.mode is Mode.BLOCK)


def test_of_two_that_are_exceeded_the_one_that_blocks_counts() -> None:
    uses = uses_of([LINUS, ALL], NOVEMBER, [Spent(amount=Decimal(990), user="U0LINUS", channel=None)])
    exceeded = over(uses, Decimal(50))
    assert exceeded is not None
    assert exceeded.budget == ALL


@given(st.lists(amounts, min_size=1, max_size=10))
def test_each_part_of_a_budget_is_reached_at_most_once_and_the_highest_is_told(
    added: list[Decimal],
) -> None:
    use = BudgetUse(budget=LINUS, month=NOVEMBER, counted=Decimal(0))
    told = []
    for amount in added:
        told += [each for each in [use.reached_by(amount)] if each is not None]
        use = replace(use, counted=use.counted + amount)
    assert told == sorted(set(told))
    assert (100 in told) == (use.counted >= LINUS.amount)
    assert (80 in told or 100 in told) == (use.counted >= LINUS.amount * 8 / 10)


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        ((), (LINUS,), False),
        ((LINUS,), (), True),
        ((LINUS,), (replace(LINUS, amount=Decimal(201)),), True),
        ((LINUS,), (replace(LINUS, amount=Decimal(199)),), False),
        ((LINUS,), (replace(LINUS, mode=Mode.BLOCK),), False),
        ((ALL,), (replace(ALL, mode=Mode.ASK),), True),
    ],
)
def test_more_than_before_is_looser(
    before: tuple[Budget, ...], after: tuple[Budget, ...], looser: bool
) -> None:
    assert is_looser(Policy(budgets=before), Policy(budgets=after)) is looser


def test_budgets_are_stored_with_the_policy_and_read_again() -> None:
    policy = Policy(version=3, budgets=(RESEARCH, LINUS, ALL))
    assert Policy.from_text(policy.to_text(), 3) == policy
