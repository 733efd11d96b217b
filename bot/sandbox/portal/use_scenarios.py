"""Scenarios in which the balance is being used, a day in a minute."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.burn import Use, bursts, jumped, office_hours, steady
from bot.sandbox.portal.models import AutoReload
from bot.sandbox.portal.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.sandbox.portal.models import Organization


def _reloads(organization: Organization) -> Callable[[], None]:
    """Switch auto-reload on, a little below the balance; return what puts it back."""
    before = organization.auto_reload
    organization.auto_reload = replace(
        before or AutoReload(), enabled=True, threshold=Decimal(100), reload_to=Decimal(150)
    )

    def undo() -> None:
        organization.auto_reload = before

    return undo


USE_SCENARIOS = (
    Scenario(
        name="used-steadily",
        title="Used day and night",
        hint="A day passes in a minute: $24 a minute. Watch it with /billing alerts.",
        keywords="burn runway alert low balance",
        use=Use(rate=steady),
    ),
    Scenario(
        name="used-office-hours",
        title="Used in office hours",
        hint="A day passes in a minute: much from Monday to Friday, little at night.",
        keywords="burn runway alert low balance",
        use=Use(rate=office_hours),
    ),
    Scenario(
        name="used-in-bursts",
        title="Used in bursts",
        hint="A day passes in a minute: jobs that run now and then.",
        keywords="burn runway alert low balance",
        use=Use(rate=bursts),
    ),
    Scenario(
        name="used-fivefold",
        title="Use jumps fivefold",
        hint="$2 a second. Watch it with /billing alerts: within a minute it is low, then critical.",
        keywords="burn runway alert low balance spike",
        use=Use(rate=jumped),
    ),
    Scenario(
        name="auto-reload-buys",
        title="Auto-reload buys",
        hint="$2 a second, and below $100 the portal buys up to $150.",
        keywords="burn reload",
        use=Use(rate=jumped, reloads=True),
        prepare=_reloads,
    ),
    Scenario(
        name="auto-reload-fails",
        title="Auto-reload fails",
        hint="$2 a second, and below $100 nothing is bought though auto-reload is on.",
        keywords="burn reload silent",
        use=Use(rate=jumped),
        prepare=_reloads,
    ),
)
