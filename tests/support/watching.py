"""Steps of scenarios in which somebody watches the balance."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.sandbox.portal.models import AutoReload
from tests.support.house import ADA
from tests.support.shown import Shown
from tests.support.steps import shown_in_modal

if TYPE_CHECKING:
    from bot.domain.watch import Watch
    from tests.support.house import House


async def watches(house: House, user: str = ADA, *, lines: dict[str, str] | None = None) -> None:
    """Consent to watch with one's own connection, and be told."""
    await house.slack.command(user, "/billing alerts")
    await house.until(lambda: house.modal(user).submit == "Save")
    await house.slack.select(user, "alerts_who", ["watch", "tell"])
    for name, amount in (lines or {}).items():
        await house.slack.type(user, name, amount)
    await house.slack.submit(user)
    await shown_in_modal(house, "Saved.", user)


async def tells(house: House, user: str) -> None:
    """Be told, without one's own connection."""
    await house.slack.command(user, "/billing alerts")
    await house.until(lambda: house.modal(user).submit == "Save")
    await house.slack.select(user, "alerts_who", ["tell"])
    await house.slack.submit(user)
    await shown_in_modal(house, "Saved.", user)


async def the_watch(house: House) -> Watch:
    (found,) = await house.app.runtime.watches.of_organization("T0ACME", "org_acme")
    return found


def alerts(house: House, user: str = ADA) -> list[dict[str, Any]]:
    """The messages of episodes to a person, thread replies aside."""
    return [
        each
        for each in house.dm(user)
        if (each.get("metadata") or {}).get("event_type") == "billing_episode"
    ]


def reload_on(house: House) -> Any:
    """Auto-reload at the portal, switched on."""
    house.portal.organizations["acme"].auto_reload = AutoReload(
        enabled=True, threshold=Decimal(10), reload_to=Decimal(60)
    )
    return house.portal.organizations["acme"].auto_reload


def alert(house: House, user: str = ADA) -> Shown:
    found = alerts(house, user)
    return Shown(found[-1] if found else {})


async def balance(house: House, amount: str, frozen: Any = None, minutes: float = 13) -> None:
    """Set what the portal says, and have it read."""
    house.portal.organizations["acme"].balance = Decimal(amount)
    await read(house, frozen, minutes)


async def read(house: House, frozen: Any = None, minutes: float = 13) -> None:
    """Have the balance read now, after so many minutes."""
    await house.until(lambda: house.app.engine.in_flight == 0)  # a reading that is under way is another
    before = (await the_watch(house)).read_at
    if frozen is not None:
        frozen.tick(timedelta(minutes=minutes))
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)

    async def is_read() -> bool:
        return (await the_watch(house)).read_at != before

    await house.until_async(is_read)
