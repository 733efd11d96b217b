"""Connecting and disconnecting an account of the portal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from freezegun import freeze_time

from bot.sandbox.portal import Fault
from tests.support.house import ADA, House
from tests.support.steps import disconnect, token_requests


async def begin(house: House, user: str = ADA) -> str:
    seen = len(house.slack.ephemerals(user))
    await house.slack.command(user, "/billing connect")
    await house.until(lambda: len(house.slack.ephemerals(user)) > seen)
    return house.answer(user).code


@pytest.mark.parametrize("replaces", [True, False])
async def test_connecting_names_the_account_and_the_organization(house: House, replaces: bool) -> None:
    house.slack.command_urls_replace = replaces
    await house.connect()
    text = house.last_ephemeral()["text"]
    assert "as ada@acme.example in Acme Research" in text
    assert "$155.70 to use" in text


@pytest.mark.behavior(41)
async def test_the_link_reaches_the_person_before_polling_starts(house: House) -> None:
    for way in ("response_url", "conversations.open"):
        house.slack.faults.add(method=way, kind="drop_before")
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
    await house.until(lambda: "Open Nous Portal" in house.answer().buttons)


@pytest.mark.behavior(43)
async def test_expiry_offers_to_start_again(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await begin(house)
        frozen.tick(timedelta(hours=1))

        def expired() -> bool:
            frozen.tick(timedelta(seconds=1))
            return "has expired before it was approved" in house.last_ephemeral()["text"]

        await house.until(expired)
        assert "Connect" in house.answer().buttons


@pytest.mark.behavior(43)
async def test_slow_down_delays_the_next_poll(house: House) -> None:
    house.portal.fail("/api/oauth/token", Fault(status=400, body='{"error": "slow_down"}'))
    code = await begin(house)
    await house.until(lambda: token_requests(house) >= 1)
    house.portal.approve(code)
    await asyncio.sleep(1.5)  # longer than the interval, shorter than interval and slow-down together
    assert token_requests(house) == 1
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_a_cancelled_link_connects_nobody(house: House) -> None:
    code = await begin(house)
    await house.slack.click_text(ADA, "Cancel")
    await house.until(lambda: "Connecting was cancelled" in house.last_ephemeral()["text"])
    house.portal.approve(code)
    await house.slack.command(ADA, "/billing usage")
    await house.until(lambda: "Connect your Nous Portal account first" in house.last_ephemeral()["text"])


async def test_a_direct_message_replaces_a_closed_modal(house: House) -> None:
    await house.slack.open_home(ADA)
    await house.until(lambda: "Connect your portal account once" in house.home().text)
    await house.slack.click_text(ADA, "Connect", in_="home")
    await house.until(lambda: house.modal().code)
    code = house.modal().code
    await house.slack.close(ADA)
    house.portal.approve(code)
    await house.told("*Connected*")


async def test_cancel_after_the_approval_says_that_the_person_is_connected(house: House) -> None:
    await house.connect()
    payload = {"action_id": "cancel_connect", "block_id": "b", "type": "button"}
    stale = house.last_ephemeral()
    await house.click_again(payload, stale)
    await house.until(lambda: "You are connected as ada@acme.example" in house.last_ephemeral()["text"])


async def test_a_link_still_works_after_a_restart(house: House) -> None:
    code = await begin(house)
    await house.restart()
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_an_approval_still_connects_when_the_account_call_fails_once(house: House) -> None:
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


async def test_a_connected_person_who_connects_again_sees_the_account(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "You are connected as ada@acme.example" in house.last_ephemeral()["text"])


async def test_connect_says_that_the_portal_did_not_answer(house: House) -> None:
    house.portal.fail("/api/oauth/device/code", Fault(drop=True))
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "Nous Portal did not answer" in house.last_ephemeral()["text"])


async def test_a_person_can_connect_from_app_home_in_a_modal(house: House) -> None:
    await house.slack.open_home(ADA)
    await house.until(lambda: "Connect your portal account once" in house.home().text)
    await house.slack.click_text(ADA, "Connect", in_="home")
    await house.until(lambda: house.modal().code)
    code = house.modal().code
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in house.modal().text)
    await house.until(lambda: "$155.70 to use" in house.home().text)


async def test_disconnect_deletes_the_connection_and_names_the_account(house: House) -> None:
    await house.link()
    await disconnect(house)
    assert "ada@acme.example" in house.last_ephemeral()["text"]
    await house.slack.command(ADA, "/billing disconnect")
    await house.until(lambda: "nothing to forget" in house.last_ephemeral()["text"])


@pytest.mark.behavior(49)
async def test_the_command_continues_after_connecting(house: House) -> None:
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "Connect your Nous Portal account first" in house.modal().text)
    await house.slack.click_text(ADA, "Connect")
    await house.until(lambda: house.modal().code)
    code = house.modal().code
    house.portal.approve(code)
    await house.until(lambda: "*Connected*" in house.modal().text)
    await house.slack.click_text(ADA, "Continue with /billing buy 50")
    await house.confirm_shown()


async def test_new_tokens_that_the_portal_refuses_end_the_attempt_with_a_message(house: House) -> None:
    refused = Fault(status=401, body='{"error": "expired"}')
    house.portal.fail("/api/oauth/account", refused, times=2)
    code = await begin(house)
    house.portal.approve(code)
    await house.until(lambda: "Not connected" in house.last_ephemeral()["text"])


async def test_a_double_click_on_connect_leaves_a_link_that_works(house: House) -> None:
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Connect your portal account once" in house.last_ephemeral()["text"])
    await asyncio.gather(house.slack.click_text(ADA, "Connect"), house.slack.click_text(ADA, "Connect"))
    issued = "/api/oauth/device/code"
    await house.until(lambda: sum(each.path == issued for each in house.portal.requests) == 2)
    await house.until(lambda: house.answer().code)
    await house.until(lambda: token_requests(house) >= 1)
    house.portal.approve(house.answer().code)
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"])
