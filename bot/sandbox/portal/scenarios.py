"""The table of all scenarios, and the amounts that select one of them."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from bot.sandbox.portal.charge_scenarios import OUTCOMES, REFUSALS, UNCLEAR_ANSWERS
from bot.sandbox.portal.gate_scenarios import GATE_SCENARIOS
from bot.sandbox.portal.outage_scenarios import OUTAGE_SCENARIOS
from bot.sandbox.portal.scenario import Scenario
from bot.sandbox.portal.use_scenarios import USE_SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.sandbox.portal.models import Organization

BY_AMOUNT = "by-amount"
_DEFAULT = Scenario(
    name=BY_AMOUNT,
    title="By amount",
    hint="Everything settles in three seconds, except $10.01 to $10.18.",
)
GROUPS: Mapping[str, tuple[Scenario, ...]] = MappingProxyType(
    {
        "Normal": (_DEFAULT,),
        "How a charge ends": OUTCOMES,
        "The charge is turned away": REFUSALS,
        "The answer is unclear": UNCLEAR_ANSWERS,
        "A rule of the portal refuses": GATE_SCENARIOS,
        "The portal is in trouble": OUTAGE_SCENARIOS,
        "The balance is being used": USE_SCENARIOS,
    }
)
"""The scenarios by the title of their group, in the order of the page's list."""

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {row.name: row for rows in GROUPS.values() for row in rows}
)
"""Every scenario by its name, in the same order."""

AMOUNT_SCENARIOS: Mapping[Decimal, str] = MappingProxyType(
    {
        Decimal("10.01"): "declined",
        Decimal("10.02"): "expired-card",
        Decimal("10.03"): "authentication-required",
        Decimal("10.04"): "processing-error",
        Decimal("10.05"): "settles-slowly",
        Decimal("10.06"): "pending-for-ever",
        Decimal("10.07"): "rate-limited",
        Decimal("10.08"): "temporarily-unavailable",
        Decimal("10.09"): "stripe-unavailable",
        Decimal("10.10"): "server-error-once",
        Decimal("10.11"): "non-json",
        Decimal("10.12"): "drop-before-once",
        Decimal("10.13"): "drop-after-once",
        Decimal("10.14"): "no-charge-id",
        Decimal("10.15"): "drop-before",
        Decimal("10.16"): "server-error",
        Decimal("10.17"): "drop-after",
        Decimal("10.18"): "slow-answer",
    }
)
"""Amounts in US dollars, and the scenario of a charge of exactly this amount."""


def scenario_of_charge(organization: Organization, amount: Decimal) -> Scenario:
    """Return the scenario of a charge: the organization's scenario, or the scenario of the amount."""
    switched = SCENARIOS[organization.scenario]
    if not switched.leaves_charges_to_amount:
        return switched
    return SCENARIOS[AMOUNT_SCENARIOS.get(amount, "settles")]


def scenario_of(organization: Organization | None) -> Scenario:
    """Return the organization's scenario, or the default scenario without an organization."""
    return SCENARIOS[BY_AMOUNT if organization is None else organization.scenario]


def amount_of(name: str) -> Decimal | None:
    """Return the amount in US dollars that selects the scenario, or None."""
    return next((amount for amount, started in AMOUNT_SCENARIOS.items() if started == name), None)
