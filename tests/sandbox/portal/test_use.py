"""Balances that are being used, a day in a minute, and what auto-reload does about it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.sandbox.portal import PortalSandbox

MINUTE = 60


class Clock:
    def __init__(self) -> None:
        self.at = 1_764_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def portal(clock: Clock) -> PortalSandbox:
    return PortalSandbox(now=clock)


def balance(portal: PortalSandbox) -> Decimal:
    return portal.organizations["acme"].balance


def test_a_balance_that_nobody_uses_stays(portal: PortalSandbox, clock: Clock) -> None:
    before = balance(portal)
    clock.at += 30 * MINUTE
    assert balance(portal) == before


def test_a_day_passes_in_a_minute(portal: PortalSandbox, clock: Clock) -> None:
    before = balance(portal)
    portal.set_scenario("acme", "used-steadily")
    clock.at += MINUTE
    assert before - balance(portal) == pytest.approx(Decimal(24), abs=Decimal("0.001"))


def test_looking_often_takes_no_more(portal: PortalSandbox, clock: Clock) -> None:
    before = balance(portal)
    portal.set_scenario("acme", "used-steadily")
    for _ in range(60):
        clock.at += 1
        balance(portal)
    assert before - balance(portal) == pytest.approx(Decimal(24), abs=Decimal("0.001"))


def test_at_nothing_left_no_more_is_used(portal: PortalSandbox, clock: Clock) -> None:
    portal.set_scenario("acme", "used-fivefold")
    clock.at += 600 * MINUTE
    assert Decimal(-5) <= balance(portal) <= 0


def test_auto_reload_buys_below_its_line(portal: PortalSandbox, clock: Clock) -> None:
    portal.set_scenario("acme", "auto-reload-buys")
    for _ in range(300):
        clock.at += 1
        assert balance(portal) >= 95
    cap = portal.organizations["acme"].cap
    assert cap is not None
    assert cap.spent > 500


def test_auto_reload_that_fails_buys_nothing(portal: PortalSandbox, clock: Clock) -> None:
    portal.set_scenario("acme", "auto-reload-fails")
    clock.at += 60
    assert balance(portal) < 30
    portal.set_scenario("acme", "by-amount")
    setting = portal.organizations["acme"].auto_reload
    assert setting is not None
    assert not setting.enabled


@pytest.mark.parametrize("name", ["used-office-hours", "used-in-bursts"])
def test_the_same_days_use_the_same(name: str, clock: Clock) -> None:
    used = []
    for _ in range(2):
        clock.at = 1_764_000_000.0
        portal = PortalSandbox(now=clock)
        portal.set_scenario("acme", name)
        clock.at += MINUTE
        used.append(balance(portal))
    assert used[0] == used[1] < Decimal("142.5")
