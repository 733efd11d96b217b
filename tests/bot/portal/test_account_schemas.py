"""How the account, its plan and its usage are read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.domain.billing import BalanceLevel, MemberCap, PlanUsage, Usage
from bot.domain.errors import NoOrganizationError
from bot.portal.schemas.account import AccountWire
from bot.portal.schemas.fields import UnusableAnswerError, read
from tests.support.live import PLUS_WITH_ROLLOVER, PLUS_WITH_THE_PLAN_SPENT


@pytest.mark.parametrize(
    ("answer", "left", "rollover", "topped_up"),
    [
        (PLUS_WITH_THE_PLAN_SPENT, "0", "0", "32.0836345329777"),
        (PLUS_WITH_ROLLOVER, "22.472091793333334", "6.591792646666667", "0"),
    ],
)
def test_the_two_live_accounts_are_read_whole(
    answer: dict[str, Any], left: str, rollover: str, topped_up: str
) -> None:
    usage = read(AccountWire, answer).to_domain().usage
    assert usage.plan is not None
    assert (usage.plan.name, usage.plan.monthly) == ("Plus", Decimal(22))
    assert (usage.plan.left, usage.plan.rollover) == (Decimal(left), Decimal(rollover))
    assert usage.topped_up == Decimal(topped_up)
    assert usage.level is BalanceLevel.HEALTHY


def account(subscription: object = None, **access: Any) -> Usage:
    body = {
        "user": {"email": "a@x"},
        "organisation": {"id": "o"},
        "subscription": subscription,
        "paid_service_access": access,
    }
    return read(AccountWire, body).to_domain().usage


@pytest.mark.parametrize(
    ("subscription", "plan"),
    [
        ({"plan": "Plus"}, PlanUsage(name="Plus")),
        ({"plan": "Plus", "monthly_credits": None, "credits_remaining": "x"}, PlanUsage(name="Plus")),
        ({"monthly_credits": 22}, PlanUsage(name=None, monthly=Decimal(22))),
        ({"monthly_credits": 0}, None),
        ({}, None),
        ("Plus", None),
    ],
)
def test_a_plan_needs_a_name_or_dollars(subscription: object, plan: PlanUsage | None) -> None:
    assert account(subscription).plan == plan


def test_the_plans_remainder_comes_from_paid_service_access_first() -> None:
    both = account({"plan": "Plus", "credits_remaining": 5}, subscription_credits_remaining="7.25")
    assert both.plan == PlanUsage(name="Plus", left=Decimal("7.25"))
    one = account({"plan": "Plus", "credits_remaining": 5}, subscription_credits_remaining=None)
    assert one.plan == PlanUsage(name="Plus", left=Decimal(5))


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        ({"allowed": True, "paid_access": False}, True),
        ({"allowed": False, "paid_access": True}, False),
        ({"paid_access": False}, False),
        ({"allowed": "yes"}, None),
        ({}, None),
    ],
)
def test_allowed_says_whether_paid_use_is_possible(access: dict[str, Any], allowed: bool | None) -> None:
    assert account(**access).allowed is allowed


def test_a_members_own_cap_is_read_and_is_none_for_people_without_one() -> None:
    over = account(
        member_spend_cap_exceeded=True,
        member_spend_cap_usd="25",
        member_spend_usd=Decimal("25.3061984"),
        member_spend_cap_remaining_usd="-0.3",
        reason="member_spend_cap_exceeded",
    )
    assert over.member_cap == MemberCap(
        exceeded=True, limit=Decimal(25), spent=Decimal("25.3061984"), left=Decimal("-0.3")
    )
    assert over.level is BalanceLevel.MEMBER_CAPPED
    nothing = account(member_spend_cap_exceeded=False, member_spend_cap_usd=None, member_spend_usd="3.2")
    assert nothing.member_cap is None


@pytest.mark.parametrize(
    "left_out",
    [
        {"organisation": None},
        {},
        {"organisation": {"id": "o"}, "paid_service_access": {"reason": "account_missing"}},
    ],
)
def test_a_login_without_an_organization_is_said_to_be_one(left_out: dict[str, Any]) -> None:
    with pytest.raises(NoOrganizationError):
        read(AccountWire, {"user": {"email": "a@x"}, **left_out}).to_domain()


def test_an_account_without_an_id_is_unusable() -> None:
    with pytest.raises(UnusableAnswerError):
        read(AccountWire, {"user": {}, "organisation": {"id": "o"}}).to_domain()
