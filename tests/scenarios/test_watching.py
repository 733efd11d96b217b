"""Somebody watches the balance: alerts that open, get worse and end, told once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bot.domain.reading import Reading
from bot.domain.watch import WatchState
from bot.sandbox.portal import Fault
from tests.support.asking import connected
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed
from tests.support.steps import disconnect, modal
from tests.support.watching import alert, alerts, balance, read, reload_on, tells, the_watch, watches

if TYPE_CHECKING:
    from tests.support.house import House


async def test_whoever_consents_is_named_and_the_balance_is_read(house: House) -> None:
    await connected(house)
    await watches(house)
    await read(house)
    watch = await the_watch(house)
    assert (watch.state, watch.watcher) == (WatchState.ON, house.identity(ADA).key)
    shown = await modal(house, "/billing alerts", "Watched by <@U0ADA>", LINUS)
    assert "Low" not in shown.text


async def test_a_low_balance_is_told_once_and_gets_worse_and_ends(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await tells(house, LINUS)
    await read(house, clock)
    await balance(house, "18.20", clock)
    await house.until(lambda: "$18.20 left* at Acme Research, below $20" in alert(house).text)
    await house.until(lambda: alert(house, LINUS).text)
    assert "Add funds" in alert(house).buttons
    assert "Add funds" not in alert(house, LINUS).buttons
    assert "Ask for funds" in alert(house, LINUS).buttons
    await balance(house, "18.10", clock)
    await balance(house, "4.90", clock)
    await house.replied("$4.90 left.", ADA)
    assert "below $5" in alert(house).text
    await balance(house, "118.20", clock)
    await read(house, clock, minutes=6)
    await house.until(lambda: "Back at $118.20" in alert(house).text)
    await house.replied("Back at $118.20", LINUS)
    assert len(alerts(house)) == 1


async def test_a_balance_around_the_line_tells_once(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await read(house, clock)
    for amount in ("19", "21", "19.5", "22", "18", "23.9"):
        await balance(house, amount, clock)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert len(alerts(house)) == 1


async def test_our_own_charge_ends_it_at_once(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await read(house, clock)
    await balance(house, "15", clock)
    await house.until(lambda: alert(house).text)
    await house.buy("50")
    await house.told("$50 added", ADA)
    await house.until(lambda: "Back at $65" in alert(house).text)
    await house.replied("$50 was added here", ADA)


async def test_a_balance_that_vanishes_is_read_again_before_it_counts(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await read(house, clock)
    house.portal.organizations["acme"].balance = Decimal(0)
    clock.tick(timedelta(minutes=13))
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)

    async def is_doubted() -> bool:
        return (await the_watch(house)).doubted_at is not None

    await house.until_async(is_doubted)
    assert alerts(house) == []
    await balance(house, "140", clock, minutes=2)
    assert alerts(house) == []


async def test_a_missing_balance_and_an_error_are_no_readings(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await read(house, clock)
    house.portal.fail("/api/billing/state", Fault(status=500), times=1)
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)

    async def has_failed() -> bool:
        return (await the_watch(house)).failed_since is not None

    await house.until_async(has_failed)
    await read(house, clock)
    assert (await the_watch(house)).failed_since is None
    assert alerts(house) == []


async def test_when_the_watcher_disconnects_another_takes_over(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house, ADA)
    await watches(house, GRACE)
    await disconnect(house, GRACE)
    await read(house, clock)
    assert (await the_watch(house)).watcher == house.identity(ADA).key


async def test_when_nobody_is_left_everybody_who_was_told_reads_it_once(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house, ADA)
    await tells(house, LINUS)
    await read(house, clock)
    await disconnect(house, ADA)
    for user in (ADA, LINUS):
        await house.told("Nobody watches the balance of Acme Research", user)
    await house.slack.click_text(LINUS, "Watch it", in_="message")
    await house.until(lambda: house.modal(LINUS).submit == "Save")
    await house.slack.submit(LINUS)
    await house.until(lambda: "is watched again" in house.last_message(LINUS).text)
    await house.until(lambda: any("is watched again" in each["text"] for each in house.dm(ADA)))


async def test_who_may_charge_reads_that_nobody_watches_though_they_were_never_told(house: House) -> None:
    await connected(house)
    await typed(house, "/billing", GRACE)  # the portal says that she may charge
    await watches(house)
    await house.slack.close(ADA, everything=True)
    await disconnect(house)
    await house.told("Nobody watches the balance of Acme Research", GRACE)
    assert "Nobody watches" not in str(house.dm(LINUS))


async def test_auto_reload_that_is_switched_off_elsewhere_is_told_and_known(
    house: House, clock: Any
) -> None:
    await connected(house)
    setting = reload_on(house)
    await watches(house)
    await read(house, clock)
    setting.enabled = False
    await read(house, clock)
    await house.until(lambda: "switched off* on the portal, not from here" in alert(house).text)
    await house.slack.click_text(ADA, "I know", in_="message")
    await house.until(lambda: "Seen:" in alert(house).text)


async def test_auto_reload_switched_off_from_here_is_no_alert(house: House, clock: Any) -> None:
    await connected(house)
    reload_on(house)
    await watches(house)
    await read(house, clock)
    await modal(house, "/billing auto-reload off", "Turn off auto-reload?")
    await house.slack.submit(ADA)
    await house.until(lambda: "off" in house.modal(ADA).text and not house.modal(ADA).submit)
    await read(house, clock)
    assert alerts(house) == []


async def test_a_member_is_not_told_of_card_and_cap(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await tells(house, LINUS)
    await read(house, clock)
    house.portal.organizations["acme"].card = None
    await read(house, clock)
    await house.until(lambda: "No payment method any more" in alert(house).text)
    assert alerts(house, LINUS) == []


async def test_snoozed_until_it_gets_worse_it_replies_to_the_others_alone(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await tells(house, GRACE)
    await read(house, clock)
    await balance(house, "18", clock)
    await house.until(lambda: alert(house, GRACE).text)
    await house.slack.select(GRACE, "snooze", "Until it gets worse", in_="message")
    await house.until(lambda: "snoozed for you" in alert(house, GRACE).text)
    clock.tick(timedelta(hours=25))
    await house.replied("Still so after a day", ADA)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert house.replies(GRACE) == []


async def test_quiet_hours_hold_what_can_wait(house: House, clock: Any) -> None:
    await connected(house)
    now = house.app.runtime.clock.now().astimezone()
    await watches(
        house,
        lines={
            "alerts_quiet_from": f"{(now - timedelta(hours=1)):%H:%M}",
            "alerts_quiet_until": f"{(now + timedelta(hours=2)):%H:%M}",
        },
    )
    await read(house, clock)
    await balance(house, "18", clock)
    assert alerts(house) == []
    await balance(house, "17", clock, minutes=150)
    await house.until(lambda: "$17 left" in alert(house).text)


@pytest.mark.parametrize(
    ("field", "words", "problem"),
    [
        ("alerts_low", "lots", "An amount in dollars"),
        ("alerts_quiet_from", "late", "A time such as"),
        ("alerts_quiet_from", "22:00", "Both times"),
    ],
)
async def test_what_cannot_be_read_is_said_beside_its_field(
    house: House, field: str, words: str, problem: str
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing alerts")
    await house.until(lambda: house.modal(ADA).submit == "Save")
    await house.slack.type(ADA, field, words)
    answer = await house.slack.submit(ADA)
    assert problem in str(answer.response)


async def test_switched_off_it_is_unknown_and_nothing_is_read(house: House) -> None:
    await connected(house)
    await watches(house)
    await read(house)
    await house.restart(team_spending=False)
    assert "There is no" in await typed(house, "/billing alerts")
    seen = len(house.portal.requests)
    async with house.app.runtime.database.transaction() as transaction:
        await house.app.runtime.watches.wake(transaction)
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert len(house.portal.requests) == seen


async def test_the_log_tells_who_consented_and_what_was_told(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    await read(house, clock)
    await balance(house, "18", clock)

    async def is_told() -> bool:
        entries = [seal.entry async for seal in house.app.runtime.audit.sealed()]
        found = [(each.action, each.result) for each in entries if each.action in {"watch", "alert"}]
        return found == [("watch", "consented"), ("alert", "opened-1")]

    await house.until_async(is_told)


async def test_the_overview_says_who_watches(house: House) -> None:
    await connected(house)
    await watches(house)
    await read(house)
    await typed(house, "/billing", user=LINUS)
    await house.until(lambda: "atched by <@U0ADA>" in house.answer(LINUS).text)


async def test_a_balance_that_is_being_used_reaches_its_line_and_is_told(house: House) -> None:
    await connected(house)
    await watches(house, lines={"alerts_low": "142", "alerts_critical": "100"})
    await read(house)
    house.portal.set_scenario("acme", "used-fivefold")
    house.portal.advance(10)
    await read(house)
    await house.until(lambda: "left* at Acme" in alert(house).text)


async def test_an_alert_draws_the_last_days_and_shows_them_as_a_table(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    watch = await the_watch(house)
    async with house.app.runtime.database.transaction() as transaction:
        for days, amount in ((5, "230"), (3, "200"), (1, "180")):
            at = house.app.runtime.clock.now() - timedelta(days=days)
            earlier = Reading(at=at, balance=Decimal(amount))
            await house.app.runtime.watches.readings.add(transaction, watch.id, earlier)
    await balance(house, "18.20", clock)
    await house.until(lambda: "$18.20 left" in alert(house).text)
    drawn = next(each for each in alert(house).content["blocks"] if each["type"] == "data_visualization")
    assert [each["name"] for each in drawn["chart"]["series"]] == ["Balance", "Used"]
    assert "used $30" in alert(house).content["text"]
    await house.slack.click_text(ADA, "As a table", in_=alert(house).content["ts"])
    await house.until(lambda: "'table'" in str(house.slack.ephemerals(ADA)))


async def test_where_slack_draws_no_charts_the_alert_comes_without(house: House, clock: Any) -> None:
    await connected(house)
    await watches(house)
    watch = await the_watch(house)
    async with house.app.runtime.database.transaction() as transaction:
        earlier = Reading(at=house.app.runtime.clock.now() - timedelta(days=5), balance=Decimal(230))
        await house.app.runtime.watches.readings.add(transaction, watch.id, earlier)
    house.slack.faults.add("chat.postMessage", "error", "invalid_blocks")
    await balance(house, "18.20", clock)
    await house.until(lambda: "$18.20 left" in alert(house).text)
    assert "data_visualization" not in str(alert(house).content)
