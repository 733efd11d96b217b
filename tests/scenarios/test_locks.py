"""A lock stops spending at every step, says why, and is announced."""

from __future__ import annotations

from typing import Any

import pytest
from freezegun import freeze_time

from bot.domain.charge import ChargeState
from bot.sandbox.portal import Fault
from tests.support.house import ADA, GRACE, LINUS, House, identity
from tests.support.steps import answered, money_requests, shown_in_modal


async def audited(house: House, action: str) -> list[tuple[str, str]]:
    """Who did it and with which result, in order."""
    await house.app.runtime.audit.seal()
    log = house.app.runtime.audit.sealed()
    return [(seal.entry.actor, seal.entry.result) async for seal in log if seal.entry.action == action]


@pytest.mark.parametrize("typed", ["/billing lock", "/billing unlock"])
async def test_a_person_who_may_not_lock_is_refused(house: House, typed: str) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.slack.command(ADA, typed)
    await answered(house, "You can't pause or resume spending here")
    assert await house.app.runtime.permission.stopped(identity(ADA)) is None


async def test_a_lock_stops_a_purchase_at_every_step_and_both_are_in_the_log(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "Spending from Slack is paused. ")
    await shown_in_modal(house, "Reason: Audit week")
    await house.slack.close(ADA, everything=True)
    for typed in ("/billing buy 10", "/billing auto-reload 10 50"):
        await house.slack.command(ADA, typed)
        await shown_in_modal(house, "Spending from Slack is paused")
        await house.slack.close(ADA, everything=True)
    await house.slack.command(GRACE, "/billing lock again")
    await answered(house, "Spending was already paused", GRACE)
    await house.slack.command(GRACE, "/billing unlock")
    await answered(house, "Spending resumed", GRACE)
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert await audited(house, "lock") == [
        ("T0ACME:U0GRACE", "locked"),
        ("T0ACME:U0GRACE", "was locked"),
    ]
    assert await audited(house, "unlock") == [("T0ACME:U0GRACE", "unlocked")]


async def test_a_lock_stops_a_confirmed_charge_that_was_not_sent(house: House) -> None:
    house.worker = False
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.buy("50")
    await house.until_async(house.charges)
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    house.worker = True
    await house.restart()
    message = await house.told("$50 was not charged")
    assert "<@U0GRACE> paused spending from Slack before this was sent" in message["text"]
    assert "Reason: Audit week." in message["text"]
    assert money_requests(house) == 0


async def test_a_lock_stops_the_retry_of_an_unanswered_charge(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.buy("10.16")
    await house.unanswered()
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    await house.state(ChargeState.UNCONFIRMED)
    sent = money_requests(house)
    house.portal.set_scenario("acme", "settles")
    await house.told("may or may not have been charged")
    await house.slack.close(ADA, everything=True)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(181)
        await house.slack.click_text(ADA, "Check again")
        await house.told("nothing new yet")
        assert money_requests(house) == sent
        await house.slack.command(GRACE, "/billing unlock")
        await answered(house, "Spending resumed", GRACE)
        await house.slack.click_text(ADA, "Check again")
        await house.told("Adding")
        frozen.tick(3)
        await house.told("$10.16 added to your balance")


async def test_a_lock_during_a_token_refresh_stops_the_charge(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    house.portal.expire_access_tokens()
    house.portal.fail("/api/oauth/token", Fault(seconds=2), times=1, method="POST")
    house.portal.fail("/api/billing/charge", Fault(status=401, body="{}"), times=1, method="POST")
    await house.app.runtime.accounts.access_token(identity(ADA))
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    house.portal.fail("/api/oauth/token", Fault(seconds=2), times=1, method="POST")
    await house.slack.submit(ADA)
    await house.until(lambda: any("charge" in each.path for each in house.portal.requests))
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    await house.told("$50 was not charged")
    assert house.portal.charges == []


async def test_spending_can_be_reduced_while_it_is_locked(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.link()
    await house.slack.command(GRACE, "/billing lock Audit week")
    await answered(house, "Spending is paused", GRACE)
    setting = house.portal.organizations["acme"].auto_reload
    assert setting is not None
    setting.enabled = True
    await house.slack.command(ADA, "/billing auto-reload off")
    await house.until(lambda: house.modal().submit)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "Auto-reload is off.")
    assert ("T0ACME:U0ADA", "done") in await audited(house, "auto-reload")


async def test_everybody_else_in_the_workspace_is_stopped_too(house: House) -> None:
    await house.restart(lock_users=(LINUS,))
    await house.link(GRACE, "grace")
    await house.slack.command(LINUS, "/billing lock Audit week")
    await answered(house, "Spending is paused", LINUS)
    await house.slack.command(GRACE, "/billing buy 50")
    await shown_in_modal(house, "Spending from Slack is paused", GRACE)


async def test_a_lock_without_a_reason_asks_first(house: House) -> None:
    await house.restart(lock_users=(GRACE,))
    await house.slack.command(GRACE, "/billing lock")
    await shown_in_modal(house, "No one in this workspace can add funds", GRACE)
    assert house.modal(GRACE).styles["Pause spending"] == "danger"
    assert house.modal(GRACE).submit == ""
    assert await audited(house, "lock") == []
    await house.slack.click_text(GRACE, "Pause spending")
    await shown_in_modal(house, "*Spending is paused*", GRACE)
    assert await audited(house, "lock") == [("T0ACME:U0GRACE", "locked")]


def announced(house: House) -> list[dict[str, Any]]:
    """The announcements in the channel that the operator named, with the replies."""
    found = house.slack.messages("C0BILLING")
    return [each for each in found if "Spending from Slack" in each["text"]]


async def test_a_lock_and_its_end_are_announced_in_one_message_of_the_channel(house: House) -> None:
    await house.restart(lock_users=(GRACE, LINUS), announce_channel="C0BILLING")
    await house.slack.command(GRACE, "/billing lock *Audit* week")
    await house.until(lambda: announced(house))
    assert "<@U0GRACE>" in announced(house)[0]["text"]
    assert "Reason: Audit week." in announced(house)[0]["text"]
    await house.slack.command(LINUS, "/billing unlock")
    await house.until(lambda: len(announced(house)) > 1)
    message, reply = announced(house)
    assert message["text"].startswith(":unlock: *Spending from Slack resumed*\n<@U0LINUS>")
    assert reply["thread_ts"] == message["ts"]
    assert "resumed* by <@U0LINUS>" in reply["text"]


async def test_an_announcement_that_slack_did_not_answer_is_posted_again_and_later_ends(
    house: House,
) -> None:
    await house.restart(lock_users=(GRACE,), announce_channel="C0BILLING")
    house.slack.faults.add("chat.postMessage", "drop_before", times=1)
    await house.slack.command(GRACE, "/billing lock Audit week")
    await house.until(lambda: announced(house))
    await house.slack.command(GRACE, "/billing unlock")
    await house.until(lambda: "resumed" in announced(house)[0]["text"])


async def test_a_deleted_announcement_goes_to_the_channel_again_and_to_no_one_else(house: House) -> None:
    await house.restart(lock_users=(GRACE,), announce_channel="C0BILLING")
    await house.slack.command(GRACE, "/billing lock Audit week")
    await house.until(lambda: announced(house))
    house.slack.faults.add("chat.update", "error", error="message_not_found", times=1)
    await house.slack.command(GRACE, "/billing unlock")
    await house.until(lambda: "resumed" in announced(house)[-1]["text"])
    assert house.dm(GRACE) == []
