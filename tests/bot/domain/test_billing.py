from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from bot.domain.billing import (
    AccessReason,
    AutoReloadChoice,
    BalanceLevel,
    MemberCap,
    MonthlyCap,
    PlanUsage,
    Role,
    Usage,
)
from bot.domain.errors import NotAllowedError, RefusalCode
from bot.domain.identity import Identity, has_scope
from bot.domain.money import AmountError, Bounds
from tests.support.samples import ACCOUNT, STATE


@pytest.mark.behavior(2)
@pytest.mark.behavior(3)
@pytest.mark.parametrize(
    ("role", "capability", "may"),
    [
        (Role.OWNER, None, True),
        (Role.ADMIN, None, True),
        (Role.FINANCE_ADMIN, None, False),
        (Role.SECURITY_ADMIN, None, False),
        (Role.MEMBER, None, False),
        (Role.UNKNOWN, None, False),
        (Role.OWNER, False, False),
        (Role.FINANCE_ADMIN, True, True),
        (Role.MEMBER, True, True),
        (Role.UNKNOWN, True, True),
    ],
)
def test_the_capability_decides_both_ways_and_the_role_without_it(
    role: Role, capability: bool | None, may: bool
) -> None:
    assert replace(STATE, role=role, can_change_plan=capability).may_change_plan is may


@pytest.mark.behavior(4)
@pytest.mark.parametrize(("role", "switch", "may"), [(Role.OWNER, True, True), (Role.OWNER, False, False)])
def test_charging_needs_the_permission_and_the_switch(role: Role, switch: bool, may: bool) -> None:
    assert replace(STATE, role=role, billing_enabled=switch).may_charge is may


@pytest.mark.behavior(1)
def test_the_role_is_judged_before_the_switch() -> None:
    with pytest.raises(NotAllowedError) as both:
        replace(STATE, role=Role.MEMBER, billing_enabled=False).require_charging()
    with pytest.raises(NotAllowedError) as switch:
        replace(STATE, billing_enabled=False).require_charging()
    assert both.value.code is RefusalCode.ROLE_REQUIRED
    assert switch.value.code is RefusalCode.BILLING_DISABLED
    STATE.require_charging()


NOTHING_USABLE = AccessReason.NOTHING_USABLE
PLAN = PlanUsage(name="Plus", monthly=Decimal(20), left=Decimal(0), renews_on=date(2026, 12, 1))
NOTHING = Usage(plan=PLAN, topped_up=Decimal(0), total=Decimal(0))


@pytest.mark.behavior(9)
@pytest.mark.parametrize(
    ("usage", "level"),
    [
        (replace(NOTHING, allowed=False, reason=NOTHING_USABLE), BalanceLevel.DEPLETED),
        (
            replace(NOTHING, allowed=False, reason=NOTHING_USABLE, topped_up=None, total=None),
            BalanceLevel.DEPLETED,
        ),
        (replace(NOTHING, allowed=False, topped_up=Decimal(20), total=Decimal(20)), BalanceLevel.BLOCKED),
        (
            Usage(topped_up=Decimal("32.08"), allowed=False, reason=AccessReason.NO_SUBSCRIPTION),
            BalanceLevel.NEEDS_PLAN,
        ),
        (
            Usage(topped_up=Decimal(0), allowed=False, reason=NOTHING_USABLE, has_subscription=True),
            BalanceLevel.DEPLETED,
        ),
        (replace(NOTHING, allowed=True), BalanceLevel.LOW),
        (replace(NOTHING, allowed=True, total=Decimal("4.99")), BalanceLevel.LOW),
        (replace(NOTHING, allowed=True, total=Decimal(5)), BalanceLevel.HEALTHY),
        (replace(NOTHING, allowed=True, total=None, topped_up=Decimal(20)), BalanceLevel.HEALTHY),
        (replace(NOTHING, allowed=True, total=None, topped_up=None), BalanceLevel.UNKNOWN),
        (NOTHING, BalanceLevel.UNKNOWN),
        (Usage(), BalanceLevel.UNKNOWN),
        (
            Usage(topped_up=Decimal(0), allowed=False, reason=AccessReason.NO_SUBSCRIPTION),
            BalanceLevel.FREE,
        ),
        (Usage(topped_up=Decimal(0), allowed=False), BalanceLevel.BLOCKED),
        (Usage(topped_up=Decimal(0)), BalanceLevel.UNKNOWN),
        (Usage(allowed=False, reason=AccessReason.MEMBER_CAP), BalanceLevel.MEMBER_CAPPED),
        (replace(NOTHING, allowed=True, member_cap=MemberCap(exceeded=True)), BalanceLevel.MEMBER_CAPPED),
    ],
)
def test_what_the_portal_allows_decides_and_amounts_say_how_long(usage: Usage, level: BalanceLevel) -> None:
    assert usage.level is level


@pytest.mark.parametrize(
    ("monthly", "left"),
    [(None, "5"), ("22", None), ("22", "22.472091793333334"), ("0", "0")],
)
def test_a_bar_is_drawn_only_where_left_of_monthly_has_a_meaning(
    monthly: str | None, left: str | None
) -> None:
    plan = PlanUsage(
        name="Plus",
        monthly=None if monthly is None else Decimal(monthly),
        left=None if left is None else Decimal(left),
    )
    assert plan.used_share is None


@pytest.mark.behavior(9)
def test_an_overdrawn_plan_has_an_overage_and_a_full_bar() -> None:
    plan = PlanUsage(name=None, monthly=Decimal(20), left=Decimal("-3.5"))
    assert plan.overage == Decimal("3.5")
    assert plan.used_share == 1


def test_nothing_is_left_of_an_overspent_cap() -> None:
    assert MonthlyCap(limit=Decimal(100), spent=Decimal(130)).left == 0


def test_what_a_cap_leaves_is_rounded_down_so_that_it_can_be_charged() -> None:
    assert MonthlyCap(limit=Decimal(1000), spent=Decimal("180.0000417")).left == Decimal("819.99")


def test_auto_reload_takes_amounts_within_the_bounds_alone() -> None:
    bounds = Bounds(minimum=Decimal(5), maximum=Decimal(100))
    for threshold, reload_to in ((4, 50), (20, 101)):
        with pytest.raises(AmountError):
            AutoReloadChoice.on(Decimal(threshold), Decimal(reload_to), bounds)


@pytest.mark.behavior(38)
def test_a_scope_is_matched_as_a_whole_token() -> None:
    assert has_scope("inference:invoke billing:manage", "billing:manage")
    assert not has_scope("inference:invoke billing:manage-lite", "billing:manage")
    assert not has_scope("", "billing:manage")


@pytest.mark.behavior(62)
def test_on_a_grid_a_person_is_the_same_under_both_team_ids() -> None:
    one = Identity(enterprise="E1", team="T1", user="U1")
    other = Identity(enterprise="E1", team="T2", user="U1")
    assert one.key == other.key
    assert (
        Identity(enterprise="", team="T1", user="U1").key
        != Identity(enterprise="", team="T2", user="U1").key
    )


@pytest.mark.behavior(42)
def test_a_grant_is_the_same_only_for_the_same_account_and_organization() -> None:
    assert ACCOUNT.grant == replace(ACCOUNT, email="new@x").grant
    assert ACCOUNT.grant != replace(ACCOUNT, account_id="b").grant
    assert ACCOUNT.grant != replace(ACCOUNT, organization_id="p").grant
