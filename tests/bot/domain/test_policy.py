"""What a policy allows, what makes one looser, and working hours as people type them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.policy import Before, Demand, Policy, is_looser
from bot.domain.working_hours import WorkingHours, WorkingHoursError

people = st.lists(st.sampled_from(["U0ADA", "U0GRACE", "U0LINUS"]), unique=True, max_size=3).map(tuple)
sources = st.none() | st.sampled_from(["C0SPEND", "C0OTHER"])
amounts = st.none() | st.decimals(min_value=1, max_value=1000, places=2)
policies = st.builds(
    Policy,
    approvers=people,
    approver_group=st.none() | st.sampled_from(["S0MONEY", "S0OTHER"]),
    approver_channel=sources,
    quiet_approvers=people,
    post_to=sources,
    two_people_from=amounts,
    request_max=amounts,
    life_hours=st.none() | st.integers(1, 336),
    is_reason_optional=st.booleans(),
)


@given(policies, st.integers(0, 9))
def test_stored_and_read_again_it_is_the_same(policy: Policy, version: int) -> None:
    assert Policy.from_text(policy.to_text(), version) == replace(policy, version=version)


@given(policies)
def test_no_change_is_not_looser(policy: Policy) -> None:
    assert not is_looser(policy, policy)


@given(
    policies,
    policies,
    st.sampled_from(["U0ADA", "U0GRACE", "U0LINUS"]),
    st.decimals(min_value=1, max_value=2000, places=2),
    st.dictionaries(st.sampled_from(["C0SPEND", "C0OTHER", "S0MONEY", "S0OTHER"]), st.booleans()),
)
def test_what_is_not_looser_lets_nobody_do_more(
    before: Policy, after: Policy, user: str, amount: Decimal, memberships: dict[str, bool]
) -> None:
    if is_looser(before, after):
        return
    was, now = (
        Demand.of([each], amount, before=Before(), user=user, memberships=memberships)
        for each in (before, after)
    )
    assert was.is_listed or not now.is_listed
    assert now.people >= was.people
    assert was.takes(amount) or not now.takes(amount)


@given(st.lists(policies, min_size=1, max_size=3), st.decimals(min_value=1, max_value=2000, places=2))
def test_the_strictest_of_all_policies_counts(several: list[Policy], amount: Decimal) -> None:
    both = Demand.of(several, amount, before=Before(), user="U0ADA", memberships={})
    for each in several:
        one = Demand.of([each], amount, before=Before(), user="U0ADA", memberships={})
        assert both.people >= one.people
        assert one.is_listed or not both.is_listed
        assert one.takes(amount) or not both.takes(amount)


def test_what_was_added_in_a_day_counts_towards_the_line() -> None:
    policy = Policy(two_people_from=Decimal(200))
    assert policy.people_for(Decimal(150), Decimal(0)) == 1
    assert policy.people_for(Decimal(150), Decimal(50)) == 2
    assert policy.people_for(Decimal(200), Decimal(0)) == 2


def test_a_record_that_is_not_ours_lets_nobody_decide() -> None:
    broken = Policy(is_broken=True)
    assert not broken.allows("U0ADA", {})
    assert broken.people_for(Decimal(1), Decimal(0)) == 2


def test_a_membership_that_is_not_known_is_none() -> None:
    policy = Policy(approver_channel="C0SPEND")
    assert policy.allows("U0ADA", {"C0SPEND": True})
    assert not policy.allows("U0ADA", {"C0SPEND": False})
    assert not policy.allows("U0ADA", {})


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("9-18", "9-18 Mon-Fri"),
        ("8:00 – 17:00", "8-17 Mon-Fri"),
        ("9-18 mon-sat", "9-18 Mon-Sat"),
        ("10-14, Sunday - Thursday", "10-14 Sun-Thu"),
        ("0-24 Wed", "0-24 Wed"),
    ],
)
def test_working_hours_are_read_as_people_type_them(typed: str, text: str) -> None:
    assert WorkingHours.read(typed).to_text() == text
    assert WorkingHours.read(text) == WorkingHours.read(typed)


@pytest.mark.parametrize("typed", ["", "nine to five", "18-9", "9-25", "9-18 Foo", "9-18 Mon-", "-1-5"])
def test_what_names_no_hours_is_refused(typed: str) -> None:
    with pytest.raises(WorkingHoursError):
        WorkingHours.read(typed)
