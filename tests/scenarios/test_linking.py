"""Connecting, stepping up, refreshing, disconnecting."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from bot.domain.charge import ChargeState
from bot.domain.errors import (
    NotLinkedError,
    PortalRefusalError,
    PortalUnavailableError,
    RelinkRequiredError,
)
from bot.portal.hosts import HostRules
from bot.sandbox.portal import Fault
from bot.services.accounts import Accounts
from tests.support.house import ADA, GRACE, House
from tests.support.steps import buy_without_permission

if TYPE_CHECKING:
    from bot.domain.identity import Identity
    from bot.storage.links import Link


async def begin(house: House, user: str = ADA) -> str:
    seen = len(house.slack.ephemerals(user))
    await house.slack.command(user, "/billing connect")
    await house.until(lambda: len(house.slack.ephemerals(user)) > seen)
    return house.user_code(user)


def token_requests(house: House) -> int:
    return sum(each.path == "/api/oauth/token" for each in house.portal.requests)


@pytest.mark.parametrize("replaces", [True, False])
async def test_connecting_names_the_account_and_the_organization(house: House, replaces: bool) -> None:
    house.slack.command_urls_replace = replaces
    await house.connect()
    text = house.last_ephemeral()["text"]
    assert "as ada@acme.example in Acme Research" in text
    assert "Balance $142.50" in text


@pytest.mark.behavior(41)
async def test_the_link_reaches_the_person_before_polling_starts(house: House) -> None:
    house.slack.faults.add(method="response_url", kind="drop_before")
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: any(each.path == "/api/oauth/device/code" for each in house.portal.requests))
    await asyncio.sleep(0)
    assert token_requests(house) == 0


@pytest.mark.behavior(43)
async def test_denial_offers_to_start_again(house: House) -> None:
    house.portal.deny(await begin(house))
    await house.until(lambda: "Not connected" in house.last_ephemeral()["text"])
    assert "turned down" in house.last_ephemeral()["text"]
    await house.slack.click_text(ADA, "Connect")
    await house.until(lambda: "Open Nous Portal" in str(house.last_ephemeral()["blocks"]))


@pytest.mark.behavior(43)
async def test_expiry_offers_to_start_again(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await begin(house)
        frozen.tick(timedelta(hours=1))

        def expired() -> bool:
            frozen.tick(timedelta(seconds=1))
            return "has expired before it was approved" in house.last_ephemeral()["text"]

        await house.until(expired)
        assert "Connect" in str(house.last_ephemeral()["blocks"])


@pytest.mark.behavior(43)
async def test_slow_down_and_429_are_honoured(house: House) -> None:
    house.portal.fail("/api/oauth/token", Fault(status=400, body='{"error": "slow_down"}'))
    code = await begin(house)
    await house.until(lambda: token_requests(house) >= 1)
    house.portal.approve(code)
    await asyncio.sleep(1.5)  # longer than the interval, shorter than interval and slow-down together
    assert token_requests(house) == 1
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_cancelling_forgets_the_code(house: House) -> None:
    code = await begin(house)
    await house.slack.click_text(ADA, "Cancel")
    await house.until(lambda: "Connecting was cancelled" in house.last_ephemeral()["text"])
    house.portal.approve(code)
    await house.slack.command(ADA, "/billing usage")
    await house.until(lambda: "Connect your Nous Portal account first" in house.last_ephemeral()["text"])


async def test_a_modal_that_was_closed_meanwhile_is_told_by_direct_message(house: House) -> None:
    await house.slack.open_home(ADA)
    await house.until(lambda: "Connect your portal account once" in str(house.slack.home(ADA)))
    await house.slack.click_text(ADA, "Connect", in_="home")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    code = str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0]
    await house.slack.close(ADA)
    house.portal.approve(code)
    await house.told("*Connected*")


async def test_cancel_after_the_approval_says_what_is_true(house: House) -> None:
    await house.connect()
    payload = {"action_id": "cancel_connect", "block_id": "b", "type": "button"}
    stale = house.last_ephemeral()
    await house.click_again(payload, stale)
    await house.until(lambda: "You are connected as ada@acme.example" in house.last_ephemeral()["text"])


async def test_a_grant_goes_on_after_a_restart(house: House) -> None:
    code = await begin(house)
    await house.restart()
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_a_grant_whose_account_call_fails_at_first_still_links(house: House) -> None:
    house.portal.fail("/api/oauth/account", Fault(drop=True), times=1)
    await house.connect()


async def test_a_new_link_supersedes_the_one_before(house: House) -> None:
    first = await begin(house)
    second = await begin(house)
    assert first != second
    await house.until(lambda: "A newer link has taken" in house.slack.ephemerals(ADA)[0]["text"])
    house.portal.approve(first, person="grace")
    house.portal.approve(second, person="ada")
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])
    assert "ada@acme.example" in house.last_ephemeral()["text"]


async def test_connecting_again_offers_what_was_probably_meant(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "You are connected as ada@acme.example" in house.last_ephemeral()["text"])


async def test_an_outage_at_the_first_step_is_said(house: House) -> None:
    house.portal.fail("/api/oauth/device/code", Fault(drop=True))
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "Nous Portal did not answer" in house.last_ephemeral()["text"])


async def test_connecting_from_home_works_in_a_modal_and_is_told_there(house: House) -> None:
    await house.slack.open_home(ADA)
    await house.until(lambda: "Connect your portal account once" in str(house.slack.home(ADA)))
    await house.slack.click_text(ADA, "Connect", in_="home")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    code = str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0]
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in str(house.slack.view(ADA)))
    await house.until(lambda: "Balance $142.50" in str(house.slack.home(ADA)))


async def test_disconnect_forgets_and_says_what_it_forgot(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing disconnect")
    await house.until(lambda: "*Disconnected.*" in house.last_ephemeral()["text"])
    assert "ada@acme.example" in house.last_ephemeral()["text"]
    await house.slack.command(ADA, "/billing disconnect")
    await house.until(lambda: "nothing to forget" in house.last_ephemeral()["text"])


@pytest.mark.behavior(49)
async def test_what_was_wanted_goes_on_after_connecting(house: House) -> None:
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "Connect your Nous Portal account first" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Connect")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    code = str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0]
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Continue with /billing buy 50")
    await house.confirm_shown()


@pytest.mark.behavior(37)
@pytest.mark.behavior(40)
async def test_missing_permission_is_a_one_time_setup_and_the_same_charge_resumes(house: House) -> None:
    await buy_without_permission(house)
    assert house.portal.charges == []
    key = (
        house.portal.charge_posts[0].key
        if house.portal.charge_posts
        else (await house.charges())[0].idempotency_key
    )

    assert "Resume" not in str(house.dm()[-1]["blocks"])
    house.portal.approve(await house.enable_billing())
    used = await house.replied("Billing is enabled: $50 can go on")
    assert [block["type"] for block in used["blocks"]] == ["section"], "the used link keeps no button"
    await house.told("Billing is enabled: $50 can go on")
    assert len(house.dm()) == 1, "one message, brought up to date"
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: house.portal.charges)
    await house.until(lambda: "$50 added to your balance" in house.dm()[0]["text"])
    assert [charge.idempotency_key for charge in house.portal.charges] == [key]
    asked = next(each for each in reversed(house.portal.requests) if each.path == "/api/oauth/device/code")
    assert "billing%3Amanage" in str(asked.body) or "billing:manage" in str(asked.body)


@pytest.mark.behavior(61)
async def test_an_old_resume_says_what_has_become_of_the_purchase(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    resumable = await house.told("$50 can go on")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("$50 added to your balance")
    await house.click_in(resumable, "Resume $50")
    await house.until(lambda: "$50 added to your balance" in house.last_ephemeral()["text"])
    assert len(house.portal.charges) == 1


async def test_billing_can_be_enabled_from_the_open_modal_too(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.until(lambda: house.view_title() == "One-time setup")
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    code = str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0]
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: "$50 added to your balance" in str(house.slack.view(ADA)))


@pytest.mark.behavior(39)
async def test_a_silent_downscope_is_said_and_nothing_is_charged(house: House) -> None:
    await buy_without_permission(house)
    house.portal.approve(await house.enable_billing(), billing=False)
    message = await house.replied("an org admin or owner has to approve it; your card was not charged")
    assert "Resume" not in str(house.dm()[-1]["blocks"])
    assert "Resume" not in str(message["blocks"])
    assert house.portal.charges == []


@pytest.mark.behavior(40)
async def test_a_permission_that_the_portal_does_not_honor_asks_again_and_does_not_loop(
    house: House,
) -> None:
    await buy_without_permission(house)
    await house.link()
    await house.told("$50 can go on")
    house.portal.set_scenario("acme", "insufficient-scope")
    posts = len(house.portal.charge_posts)
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: len(house.portal.charge_posts) > posts)
    message = await house.told("One-time setup")
    await house.state(ChargeState.NEEDS_SCOPE)
    assert "Resume" not in str(message["blocks"])
    assert len(house.portal.charge_posts) == posts + 1


@pytest.mark.behavior(40)
async def test_a_resume_that_stands_where_the_permission_is_missing_says_so(house: House) -> None:
    await buy_without_permission(house)
    await house.link()
    resumable = await house.told("$50 can go on")
    house.portal.set_scenario("acme", "insufficient-scope")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("One-time setup")
    await house.click_in(resumable, "Resume $50")
    await house.until(lambda: "The permission to spend is not there yet" in house.last_ephemeral()["text"])
    assert "Enable billing" in str(house.last_ephemeral()["blocks"])
    assert house.portal.charges == []


@pytest.mark.behavior(42)
async def test_a_step_up_with_another_account_changes_nothing(house: House) -> None:
    await buy_without_permission(house)
    house.portal.approve(await house.enable_billing(), person="grace")
    await house.replied("another account or organization")
    link = await house.app.runtime.accounts.link(house.identity())
    assert link.account.email == "ada@acme.example"
    assert house.portal.charges == []


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
async def test_the_rotated_token_is_stored_though_the_asker_has_gone(house: House) -> None:
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
        assert "Connect" in str(house.last_ephemeral()["blocks"])


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
async def test_an_expired_access_token_is_mended_without_a_word(house: House) -> None:
    await house.link()
    house.portal.expire_access_tokens()
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Balance $142.50" in house.last_ephemeral()["text"])


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
async def test_a_stored_foreign_deployment_gets_no_bearer_and_loses_nothing(house: House) -> None:
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


async def test_tokens_that_are_refused_at_once_end_the_attempt_with_a_word(house: House) -> None:
    refused = Fault(status=401, body='{"error": "expired"}')
    house.portal.fail("/api/oauth/account", refused, times=2)
    code = await begin(house)
    house.portal.approve(code)
    await house.until(lambda: "Not connected" in house.last_ephemeral()["text"])


async def test_what_was_enabled_is_looked_at_again_before_resuming(house: House) -> None:
    await buy_without_permission(house)
    code = await house.enable_billing()
    house.portal.set_scenario("acme", "no-card")
    house.portal.approve(code)
    message = await house.replied("*Connected*")
    assert "There is no payment method on file" in message["text"]
    await house.told("$50 can go on")
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: "There is no payment method on file" in house.last_ephemeral()["text"])
    await house.state(ChargeState.NEEDS_SCOPE)
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.click_text(ADA, "Resume $50")
    await house.told("$50 added to your balance")


async def test_resume_in_the_open_modal_is_answered_there(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.until(lambda: house.view_title() == "One-time setup")
    await house.slack.click_text(ADA, "Enable billing", in_="view")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    house.portal.approve(str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0])
    await house.until(lambda: "Resume $50" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Resume $50", in_="view")
    await house.until(lambda: "$50 added to your balance" in str(house.slack.view(ADA)))


@pytest.mark.behavior(37)
async def test_the_one_time_setup_survives_a_restart_at_every_step(house: House) -> None:
    await buy_without_permission(house)
    await house.restart()
    code = await house.enable_billing()
    await house.restart()
    house.portal.approve(code)
    await house.told("$50 can go on")
    await house.restart()
    await house.slack.click_text(ADA, "Resume $50")
    await house.until(lambda: house.portal.charges)
    await house.restart()
    await house.until(lambda: "$50 added to your balance" in house.dm()[0]["text"])
    assert len(house.portal.charges) == 1


async def test_a_double_click_on_connect_leaves_a_link_that_works(house: House) -> None:
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Connect your portal account once" in house.last_ephemeral()["text"])
    await asyncio.gather(house.slack.click_text(ADA, "Connect"), house.slack.click_text(ADA, "Connect"))
    issued = "/api/oauth/device/code"
    await house.until(lambda: sum(each.path == issued for each in house.portal.requests) == 2)
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    await house.until(lambda: token_requests(house) >= 1)
    house.portal.approve(house.user_code())
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])
