"""A past for the demo: sixteen days of readings, so that a newcomer sees a runway and a digest at once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.reading import Reading
from bot.domain.request import OrganizationKey
from bot.domain.watch import Watch, WatchState
from bot.portal.hosts import HostRules
from bot.sandbox.portal.burn import office_hours
from bot.storage.cipher import Cipher
from bot.storage.database import Database
from bot.storage.schema import migrate
from bot.storage.watches import WatchStore
from bot.system_clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

DAYS = 16
TENANT, ORGANIZATION, ZONE = "T0ACME", "org_acme", "Europe/London"
"""Those of the sandboxes."""

NOW_LEFT, MOST, TOPPED_UP = Decimal("142.50"), Decimal(190), Decimal(150)
WORKING, RESTING = Decimal(1), Decimal("0.01")
"""What is used in an hour, in US dollars."""


async def live_through(environment: Mapping[str, str]) -> None:
    """Make the app's ledger with a balance that was watched; nobody watches it now, and its digest is due.

    `environment` has the app's settings. Call it before the app starts.
    """
    clock = SystemClock()
    database = Database(environment["DATABASE_URL"], clock)
    try:
        await migrate(database, Cipher((environment["BILLING_BOT_KEYS"],)))
        watches, now = WatchStore(database, days=DAYS), clock.now()
        base_url = HostRules(environment_base_url=environment["HERMES_PORTAL_BASE_URL"]).base_for()
        watch = Watch(
            id="demo".rjust(16, "0"),
            key=OrganizationKey(tenant=TENANT, base_url=base_url, organization_id=ORGANIZATION),
            organization_name="Acme Research",
            team=TENANT,
            zone=ZONE,
            state=WatchState.OFF,
            created_at=now - timedelta(days=DAYS),
            digest_at=now,
        )
        async with database.transaction() as transaction:
            await watches.put(transaction, watch)
            for reading in _readings(now):
                await watches.readings.add(transaction, watch.id, reading)
    finally:
        await database.aclose()


def _readings(now: datetime) -> Iterator[Reading]:
    """Yield a reading for each hour, the newest first: what is left now, and before that more."""
    reading = Reading(at=now - timedelta(minutes=12), balance=NOW_LEFT)
    for _ in range(DAYS * 24):
        yield reading
        balance = reading.balance + (WORKING if office_hours(reading.at) > 1 else RESTING)
        reading = reading._replace(
            at=reading.at - timedelta(hours=1),
            balance=balance - TOPPED_UP if balance > MOST else balance,
        )
