"""A connection's tokens: refreshed once, kept, and used for their own account only."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from bot.domain.errors import (
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.domain.watch import WatchState
from bot.portal.hosts import HostRules
from bot.sandbox.portal import Fault
from bot.services.accounts import Accounts
from tests.support.house import ADA, GRACE, House
from tests.support.steps import token_requests
from tests.support.watching import alerts, read, the_watch, watches

if TYPE_CHECKING:
    from bot.domain.identity import Identity
    from bot.storage.links import Link


@pytest.mark.behavior(46)
async def test_many_requests_at_once_refresh_once(house: House) -> None:
    await house.link()
    house.portal.expire_access_tokens()
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=14))
        tokens = await asyncio.gather(
            *(house.app.runtime.accounts.access_token(house.identity()) for _ in range(20))
        )
    assert len(set(tokens)) == 1
    assert token_requests(house) == 1


@pytest.mark.behavior(45)
async def test_the_rotated_token_is_stored_after_the_request_for_it_was_cancelled(house: House) -> None:
    await house.link()
    accounts = house.app.runtime.accounts
    old = (await accounts.link(house.identity())).refresh
    house.portal.fail("/api/oauth/token", Fault(seconds=0.3), times=1)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=14))
        asking = asyncio.create_task(accounts.access_token(house.identity()))
        await house.until(lambda: token_requests(house) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        async def rotated() -> bool:
            return (await accounts.link(house.identity())).refresh != old

        for _ in range(200):
            if await rotated():
                break
            await asyncio.sleep(0.01)
        assert await rotated()


@pytest.mark.behavior(47)
async def test_a_lost_refresh_answer_ends_in_connect_again(house: House) -> None:
    await house.link()
    accounts = house.app.runtime.accounts
    house.portal.fail("/api/oauth/token", Fault(drop=True, after_work=True), times=1)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=14))
        with pytest.raises(PortalUnavailableError):
            await accounts.access_token(house.identity())
        with pytest.raises(RelinkRequiredError):
            await accounts.access_token(house.identity())
        before = token_requests(house)
        with pytest.raises(RelinkRequiredError):
            await accounts.access_token(house.identity())
        assert token_requests(house) == before
        await house.slack.command(ADA, "/billing")
        await house.until(lambda: "Connect again" in house.last_ephemeral()["text"])
        assert "Connect" in house.answer().buttons


@pytest.mark.behavior(48)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_outage_on_refresh_wipes_nothing(house: House, status: int) -> None:
    await house.link()
    accounts = house.app.runtime.accounts
    house.portal.fail("/api/oauth/token", Fault(status=status, body='{"error": "invalid_grant"}'), times=1)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(minutes=14))
        with pytest.raises(PortalUnavailableError):
            await accounts.access_token(house.identity())
        assert await accounts.access_token(house.identity())


@pytest.mark.behavior(49)
async def test_an_expired_access_token_is_renewed_without_a_message(house: House) -> None:
    await house.link()
    house.portal.expire_access_tokens()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])


async def test_everybody_acts_with_their_own_account(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "grace")
    await house.buy("50", GRACE)
    await house.told("$50 added to your balance", GRACE)
    assert [charge.person for charge in house.portal.charges] == ["grace"]
    assert house.dm(ADA) == []


@pytest.mark.behavior(42)
async def test_a_refresh_that_ends_after_a_new_connection_gives_no_token_of_the_old_account(
    house: House,
) -> None:
    await house.link(minutes=1)
    accounts = house.app.runtime.accounts
    house.portal.fail("/api/oauth/token", Fault(seconds=0.3), times=1)
    _, ada = await accounts.portal(house.identity())
    asking = asyncio.create_task(accounts.access_token(house.identity()))
    await asyncio.sleep(0.05)  # the refresh has left, and the portal keeps it for a while
    await house.link(ADA, "grace")
    await asking
    link = await accounts.link(house.identity())
    assert await accounts.access_token(house.identity(), account=link.account) == link.access
    with pytest.raises(PortalRefusalError):
        await ada.state()


@pytest.mark.behavior(42)
async def test_a_refresh_that_ends_after_a_disconnect_and_a_new_connection_pays_with_the_new_one(
    house: House,
) -> None:
    await house.link(ADA, "grace", minutes=1)
    accounts = house.app.runtime.accounts
    house.portal.fail("/api/oauth/token", Fault(seconds=0.5), times=1)
    asking = asyncio.create_task(accounts.access_token(house.identity()))
    await house.until(lambda: token_requests(house) == 1)
    await accounts.disconnect(house.identity())
    await house.link(ADA, "ada")
    await asyncio.wait({asking})
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert [charge.person for charge in house.portal.charges] == ["ada"]


async def test_a_rotated_token_of_another_account_ends_the_connection(house: House) -> None:
    await house.link(minutes=1)
    runtime = house.app.runtime
    async with runtime.database.transaction() as transaction:
        await transaction.execute(text("UPDATE links SET account_id = 'did:somebody-else'"))
    with pytest.raises(RelinkRequiredError):
        await runtime.accounts.access_token(house.identity())
    assert (await runtime.links.get(house.identity())).dead  # type: ignore[union-attr]


async def test_a_rotated_token_waits_until_the_portal_says_whose_it_is(house: House) -> None:
    await house.link(minutes=1)
    house.portal.fail("/api/oauth/account", Fault(status=503), times=2)
    accounts = house.app.runtime.accounts
    with pytest.raises(PortalUnavailableError):
        await accounts.access_token(house.identity())
    with pytest.raises(PortalUnavailableError):
        await accounts.access_token(house.identity())
    assert token_requests(house) == 1
    house.portal.clear_faults()
    assert await accounts.access_token(house.identity())
    assert token_requests(house) == 1


async def expire_token(house: House) -> None:
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(text("UPDATE links SET expires_at = linked_at"))
    house.app.runtime.accounts.forget_cached(house.identity().key)


async def test_a_watch_reads_with_a_new_token_and_a_person_asks_first_whose_it_is(house: House) -> None:
    await house.link()
    await watches(house)
    await read(house)
    await expire_token(house)
    before = len(house.portal.requests)
    await read(house)
    await read(house)
    asked = [each.path for each in house.portal.requests[before:]]
    assert asked == ["/api/oauth/token", "/api/billing/state", "/api/billing/state"]
    before = len(house.portal.requests)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert house.portal.requests[before].path == "/api/oauth/account"
    assert token_requests(house) == 1


async def test_what_a_new_token_reads_of_another_organization_is_dropped(house: House) -> None:
    await house.link()
    await watches(house)
    await read(house)
    before = await the_watch(house)
    await expire_token(house)
    house.portal.people["ada"].organization = "plus-rollover"
    house.portal.organizations["plus-rollover"].balance = Decimal(0)
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)
    await house.until_async(lambda: is_stale(house))
    assert (await the_watch(house)).read_at == before.read_at
    assert alerts(house) == []


async def is_stale(house: House) -> bool:
    return (await the_watch(house)).state is WatchState.STALE


async def test_slow_refreshes_of_others_delay_nobody(house: House) -> None:
    people = [f"U0SLOW{number}" for number in range(15)]
    for person in people:
        await house.link(person, "grace", minutes=1)
    await house.link(ADA, "ada", minutes=1)
    house.portal.fail("/api/oauth/token", Fault(seconds=2), times=len(people))
    accounts = house.app.runtime.accounts
    slow = [asyncio.create_task(accounts.access_token(house.identity(each))) for each in people]
    await house.until(lambda: token_requests(house) == len(people))
    async with asyncio.timeout(1.5):
        assert await accounts.access_token(house.identity())
    assert len(set(await asyncio.gather(*slow))) == len(people)


async def test_a_connection_forgotten_while_it_was_read_is_not_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.link()
    accounts, was_read, goes_on = house.app.runtime.accounts, asyncio.Event(), asyncio.Event()
    get = accounts._links.get

    async def slowly(identity: Identity) -> Link | None:
        link = await get(identity)
        was_read.set()
        await goes_on.wait()
        return link

    monkeypatch.setattr(accounts._links, "get", slowly)
    asking = asyncio.create_task(accounts.portal(house.identity()))
    await was_read.wait()
    await accounts.disconnect(house.identity())
    goes_on.set()
    await asking
    with pytest.raises(NotLinkedError):
        await accounts.portal(house.identity(), recent=True)


@pytest.mark.behavior(51)
async def test_a_stored_address_that_is_not_allowed_gets_no_token_and_loses_nothing(house: House) -> None:
    await house.link()
    runtime = house.app.runtime
    async with runtime.database.transaction() as connection:
        await connection.execute(text("UPDATE links SET base_url = 'https://evil.example'"))
    before = await runtime.accounts.former_link(house.identity())
    strict = Accounts(
        runtime.accounts._links,
        runtime.accounts._oauth,
        runtime.accounts._transport,
        HostRules(),
        runtime.clock,
    )
    with pytest.raises(RelinkRequiredError):
        await strict.portal(house.identity())
    assert await runtime.accounts.former_link(house.identity()) == before
