"""How organizations of the sandbox use their balance, and what auto-reload does about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.sandbox.portal.wire import sum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.sandbox.portal.models import Organization

HOUR_SECONDS = 3600
DAY_IN_A_MINUTE = 1440
"""How fast the sandbox's clock of use runs."""


def steady(_at: datetime) -> float:
    """Return what a service uses that runs day and night, in dollars an hour."""
    return 1.0


def office_hours(at: datetime) -> float:
    """Return what people use from Monday to Friday, in dollars an hour."""
    is_working = at.weekday() < 5 and 9 <= at.hour < 18  # noqa: PLR2004 - Friday, and hours of a day
    return 4.0 if is_working else 0.05


def bursts(at: datetime) -> float:
    """Return what jobs use that run now and then, in dollars an hour; an hour is always the same."""
    drawn = hashlib.sha256(f"{at:%Y-%m-%d %H}".encode()).digest()[0]
    return 4.0 if drawn < 51 else 0.5  # noqa: PLR2004 - a fifth of 256


def jumped(at: datetime) -> float:
    """Return five times what a steady service uses, in dollars an hour."""
    return 5 * steady(at)


USES: dict[str, Callable[[datetime], float]] = {
    "steady": steady,
    "office-hours": office_hours,
    "bursts": bursts,
}


@dataclass(frozen=True, kw_only=True)
class Use:
    """How a scenario uses the balance: dollars an hour at a time, and whether auto-reload can pay."""

    rate: Callable[[datetime], float]
    reloads: bool = False


@dataclass(kw_only=True, slots=True)
class Meter:
    """Takes from balances what has been used since the last look, a day in a minute."""

    now: Callable[[], float]
    organizations: Mapping[str, Organization]
    use_of: Callable[[Organization], Use | None]
    _read_until: dict[str, float] = field(default_factory=dict)
    """Up to when what was used is counted, by slug, in Unix seconds of use."""
    _began: dict[str, float] = field(default_factory=dict)

    def begin(self, slug: str) -> None:
        """Count from now on."""
        self._began[slug] = self._read_until[slug] = self.now()

    def run(self) -> None:
        """Take what was used from every balance that is being used."""
        for slug, organization in self.organizations.items():
            use = self.use_of(organization)
            if use is not None and slug in self._began:
                self._take(organization, use)

    def _take(self, organization: Organization, use: Use) -> None:
        """Take hour by hour; nothing is used any more once nothing is left."""
        began = self._began[organization.slug]
        at, until = (
            self._read_until[organization.slug],
            began + (self.now() - began) * DAY_IN_A_MINUTE,
        )
        while at < until:
            if organization.balance <= 0 and not _reload(organization, use):
                at = until
                break
            step = min(HOUR_SECONDS - at % HOUR_SECONDS, until - at)
            used = use.rate(datetime.fromtimestamp(at, UTC)) * step / HOUR_SECONDS
            organization.balance = sum_of(organization.balance, -Decimal(f"{used:.12f}"))
            _reload(organization, use)
            at += step
        self._read_until[organization.slug] = at


def _reload(organization: Organization, use: Use) -> bool:
    """Buy up to auto-reload's target if the balance is below its line; tell whether it was bought."""
    setting = organization.auto_reload
    if not use.reloads or setting is None or not setting.enabled:
        return False
    if organization.balance >= setting.threshold:
        return False
    bought = sum_of(setting.reload_to, -organization.balance)
    organization.balance = setting.reload_to
    if organization.cap is not None:
        organization.cap.spent = sum_of(organization.cap.spent, bought)
    return True
