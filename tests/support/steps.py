"""What scenarios type, click and read, each in one step."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

from freezegun import freeze_time

from tests.support.house import ADA, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bot.storage.links import Link
    from tests.support.shown import Shown


@asynccontextmanager
async def locked(file: str | Path | None) -> AsyncIterator[None]:
    """Lock an embedded ledger against writes, as another process would.

    It waits in a thread: the app may hold the lock and need the event loop to release it.
    """
    with closing(sqlite3.connect(str(file), isolation_level=None, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def overview(house: House, person: str, user: str = ADA) -> str:
    """What `/billing` says to somebody connected as that person."""
    await house.link(user, person)
    return await ask(house, "/billing", user)


async def ask(house: House, command: str, user: str = ADA) -> str:
    seen = len(house.slack.ephemerals(user))
    await house.slack.command(user, command)
    await house.until(lambda: len(house.slack.ephemerals(user)) > seen)
    return str(house.last_ephemeral(user)["text"])


async def bought(house: House, amount: str) -> None:
    """Connect and buy, until the portal has the charge and was asked about it."""
    await house.link()
    await house.buy(amount)
    await house.submitted()


async def disconnect(house: House, user: str = ADA) -> None:
    """Type it, and answer the question with yes."""
    await ask(house, "/billing disconnect", user)
    await house.slack.click_text(user, "Disconnect", in_="ephemeral")
    await house.until(lambda: "*Disconnected.*" in house.last_ephemeral(user)["text"])


async def modal(house: House, command: str, words: str, user: str = ADA) -> Shown:
    """The modal that a command opens, once it says these words."""
    await house.slack.command(user, command)
    await house.until(lambda: words in house.modal(user).text)
    return house.modal(user)


async def later(house: House, condition: Callable[[], bool]) -> None:
    """Let the clock run, a minute at a step, until a grant that waits has come so far."""
    with freeze_time(real_asyncio=True) as frozen:

        async def a_minute_later() -> bool:
            # On a slow machine a token must not run out while a run is busy with it.
            if house.app.engine.in_flight == 0:
                frozen.tick(60)
                house.app.engine.wake("device_grant")
            return condition()

        await house.until_async(a_minute_later)


async def link_of(house: House) -> Link | None:
    return await house.app.runtime.accounts.former_link(house.identity())


async def connecting(house: House) -> str:
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: house.answer().code)
    return house.answer().code


def account_calls(house: House) -> int:
    return sum(each.path == "/api/oauth/account" for each in house.portal.requests)


def token_requests(house: House) -> int:
    return sum(each.path == "/api/oauth/token" for each in house.portal.requests)


def keys_sent(house: House) -> list[str]:
    """The idempotency key of each request for a charge."""
    return [str(post.key) for post in house.portal.charge_posts]


async def buy_from_overview(house: House, amount: str = "50") -> None:
    """Buy from the overview's own button, up to and including the confirmation."""
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: house.modal().submit)
    await house.slack.select(ADA, "amount_preset", amount)
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)


async def buy_without_permission(house: House, amount: str = "50") -> None:
    """Confirm an amount without the permission, up to the one-time setup in message and modal."""
    await house.link(billing=False)
    await house.buy(amount)
    await house.told("One-time setup")
    await house.until(lambda: "One-time setup" in house.modal().text)


async def preview_super(house: House) -> None:
    """Open the plan and ask for a larger one, up to the question whether to pay."""
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in house.modal().text)


async def upgraded_late(house: House) -> None:
    """Pay for a larger plan at a portal that goes on showing the old one for a while."""
    house.portal_clock.speed = 1
    await house.link()
    house.portal.set_scenario("acme", "upgrade-applies-late")
    await preview_super(house)
    await house.slack.click(ADA, "plan_upgrade")
    await house.told("Upgraded to Super")


async def shown_in_modal(house: House, words: str, user: str = ADA) -> None:
    """Wait until the front modal has these words."""
    await house.until(lambda: words in house.modal(user).text)


async def answered(house: House, words: str, user: str = ADA) -> None:
    """Wait until the last answer has these words."""
    await house.until(lambda: words in house.last_ephemeral(user)["text"])


def money_requests(house: House) -> int:
    """Count the requests to charge that have reached the portal."""
    return sum(
        each.method == "POST" and each.path == "/api/billing/charge" for each in house.portal.requests
    )
