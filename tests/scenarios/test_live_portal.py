"""The portal as it really answers: what a person with such an account reads and can do."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from sqlalchemy import text as sql

from bot.domain.charge import ChargeState
from bot.domain.money import MOST_CHARGED
from bot.domain.payment import PaymentMethod
from bot.sandbox.portal import FIREWALL, FIREWALL_DENIES, Fault
from bot.sandbox.portal.world import Subscription
from tests.support.house import ADA, LINUS, House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.storage.links import Link

DAY = 24 * 3600
AWAY = Fault(status=503, body='{"error": "temporarily_unavailable"}', retry_after="1")


@contextmanager
def locked(path: str | None) -> Iterator[None]:
    """Keep everybody from writing to an embedded ledger."""
    with closing(sqlite3.connect(str(path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
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


async def modal(house: House, command: str, words: str, user: str = ADA) -> str:
    """The modal that a command opens, once it says these words."""
    await house.slack.command(user, command)
    await house.until(lambda: words in str(house.slack.view(user)))
    return str(house.slack.view(user))


def buttons(shown: dict[str, object]) -> list[str]:
    blocks: list[dict[str, object]] = shown["blocks"]  # type: ignore[assignment]
    elements = [each for block in blocks for each in block.get("elements", [])]  # type: ignore[attr-defined]
    return [each["text"]["text"] for each in elements if each.get("type") == "button"]


@pytest.mark.behaviour(9)
async def test_a_plus_subscriber_with_the_plan_spent_sees_the_plan_and_the_top_ups(house: House) -> None:
    text = await overview(house, "pia")
    assert "*Plus plan* · $0 of $22 left this month" in text
    assert "*Top-ups* · $32.08 left, never expires" in text
    assert "no plan" not in text
    usage = await ask(house, "/billing usage")
    assert "*Plus plan* · $0 of $22 left this month" in usage
    assert "*Top-ups* · $32.08 left" in usage
    await house.slack.open_home(ADA)
    await house.until(lambda: "$32.08 left, never expires" in str(house.slack.home(ADA)))
    shown = await modal(house, "/billing buy 50", "Pay $50 now")
    assert "pia@" in shown


@pytest.mark.behaviour(9)
async def test_a_plus_subscriber_with_rollover_sees_what_is_left_and_what_rolled_over(house: House) -> None:
    text = await overview(house, "rolf")
    assert "*Plus plan* · $22.47 left, $6.59 of it rolled over" in text
    assert "of $22" not in text
    await house.buy("50")
    await house.told("$50 added to your balance")


@pytest.mark.behaviour(11)
@pytest.mark.parametrize(
    ("person", "name"),
    [
        ("lena", "*Payment method:* Link (lena@"),
        ("wanda", "*Card:* Visa ····4242 with Apple Pay"),
        ("nils", "*Payment method:* Sepa Debit"),
    ],
)
async def test_any_payment_method_is_named_and_can_be_bought_with(
    house: House, person: str, name: str
) -> None:
    assert name in await overview(house, person)
    shown = await modal(house, "/billing buy 50", "Pay $50 now")
    assert "Add a card first" not in shown
    card_or_method = "charge your card" if person == "wanda" else "charge your payment method"
    assert f"By confirming, you allow Nous Research to {card_or_method}." in shown
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    assert charge.payment_method is not None
    assert charge.payment_method.kind == {"lena": "link", "wanda": "card", "nils": "sepa_debit"}[person]


async def test_an_older_portal_that_names_a_card_alone_is_read_as_before(house: House) -> None:
    assert "*Card:* Link, your default card saved on the portal" in await overview(house, "theo")


@pytest.mark.behaviour(9)
async def test_a_member_over_their_own_limit_is_told_that_funds_do_not_help(house: House) -> None:
    text = await overview(house, "omar")
    assert "*Your own spending limit* · $25.32 spent of $25, $0 left" in text
    assert "Adding funds does not help: an admin raises the limit on the portal" in text
    assert "Add funds" not in str(house.last_ephemeral()["blocks"])
    assert "reached your own spending limit" in await ask(house, "/billing usage")


async def test_a_plan_without_its_numbers_is_a_plan(house: House) -> None:
    text = await overview(house, "uma")
    assert "*Plus plan*" in text
    assert "no plan" not in text
    assert "Nothing left" not in text


async def later(house: House, condition: Callable[[], bool]) -> None:
    """Let the clock run, a minute at a step, until a grant that waits has come so far."""
    with freeze_time(real_asyncio=True) as frozen:

        async def a_minute_later() -> bool:
            frozen.tick(60)
            house.app.engine.wake("device_grant")
            return condition()

        await house.until_async(a_minute_later)


async def link_of(house: House) -> Link | None:
    return await house.app.runtime.accounts.former_link(house.identity())


async def connecting(house: House) -> str:
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    return house.user_code()


async def test_beside_the_link_it_says_to_sign_in_first(house: House) -> None:
    await connecting(house)
    assert "Sign in to the portal in that browser first" in house.last_ephemeral()["text"]


def account_calls(house: House) -> int:
    return sum(each.path == "/api/oauth/account" for each in house.portal.requests)


async def test_a_login_without_an_organization_ends_in_words_and_leaves_no_tokens(house: House) -> None:
    house.portal.approve(await connecting(house), person="noah")
    await house.until(lambda: "does not belong to an organization" in house.last_ephemeral()["text"])
    assert "support@nousresearch.com" in house.last_ephemeral()["text"]
    async with house.app.runtime.database.transaction() as connection:
        row = (await connection.execute(sql("SELECT state, sealed_tokens FROM device_grants"))).one()
    assert tuple(row) == ("no_organization", None)
    assert await link_of(house) is None


async def test_an_account_that_cannot_be_kept_ends_in_words(house: House) -> None:
    body = json.dumps({"user": {"email": "a@x"}, "organisation": {"id": "o" * 300}})
    house.portal.fail("/api/oauth/account", Fault(status=200, body=body), times=9)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "can't be used here" in house.last_ephemeral()["text"])
    assert await link_of(house) is None


@pytest.mark.parametrize(
    "fault", [AWAY, FIREWALL_DENIES, Fault(drop=True)], ids=["503", "firewall", "lost"]
)
async def test_an_account_call_that_says_wait_is_waited_for(house: House, fault: Fault) -> None:
    house.portal.fail("/api/oauth/account", fault, times=2)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Approved.*" in house.last_ephemeral()["text"])
    assert "Open Nous Portal" not in str(house.last_ephemeral()["blocks"])
    await later(house, lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_a_permission_for_a_held_purchase_waits_too(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.told("One-time setup")
    code = await house.enable_billing()
    house.portal.fail("/api/oauth/account", AWAY, times=1)
    house.portal.approve(code)
    await house.replied("*Approved.*")
    await later(house, lambda: "Billing is enabled: $50 can go on" in house.dm()[-1]["text"])


async def test_a_token_that_ran_out_while_the_portal_was_away_is_renewed_first(house: House) -> None:
    house.portal.fail("/api/oauth/account", AWAY, times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Approved.*" in house.last_ephemeral()["text"])
    house.portal.expire_access_tokens()
    await later(house, lambda: "*Connected*" in house.last_ephemeral()["text"])


async def test_a_portal_that_grants_no_login_says_so_and_not_that_it_is_away(house: House) -> None:
    refused = Fault(status=400, body='{"error": "invalid_scope"}')
    house.portal.fail("/api/oauth/device/code", refused, times=9)
    assert "does not grant this app what it asks for" in await ask(house, "/billing connect")


@pytest.mark.behaviour(37)
async def test_the_first_login_asks_for_no_more_than_it_needs(house: House) -> None:
    await connecting(house)
    asked = next(each for each in house.portal.requests if each.path == "/api/oauth/device/code")
    assert b"tool" not in asked.body


@pytest.mark.behaviour(43)
async def test_the_edges_firewall_on_polling_means_back_off(house: House) -> None:
    house.portal.fail("/api/oauth/token", FIREWALL, times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: "*Connected*" in house.last_ephemeral()["text"], seconds=15)
    first, second = (each.at for each in house.portal.requests if each.path == "/api/oauth/token")
    assert second - first >= 5


@pytest.mark.behaviour(48)
async def test_the_edges_firewall_on_a_refresh_ends_no_connection(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "firewall-refresh")
    assert "Couldn't load billing" in await ask(house, "/billing")
    house.portal.set_scenario("acme", "by-amount")
    assert "Balance $142.50" in await ask(house, "/billing")


@pytest.mark.behaviour(47)
async def test_a_refresh_that_is_forbidden_without_a_word_is_a_dead_session(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "refresh-forbidden")
    assert "Your connection to Nous Portal has ended" in await ask(house, "/billing")
    link = await link_of(house)
    assert link is not None
    assert link.dead


async def test_three_days_before_its_end_the_connection_says_so_with_one_button(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    assert "Connection" not in await ask(house, "/billing")
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(days=27, minutes=1))
        assert "Your connection to Nous Portal ends" in await ask(house, "/billing")
        assert buttons(house.last_ephemeral()).count("Connect again") == 1
        await house.slack.open_home(ADA)
        await house.until(lambda: "Connect again" in str(house.slack.home(ADA)))
        await house.slack.click_text(ADA, "Connect again", in_="ephemeral")
        await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))


async def test_a_charge_in_flight_when_the_connection_ends_goes_on_after_connecting_again(
    house: House,
) -> None:
    await house.link()
    house.portal.set_scenario("acme", "pending-for-ever")
    await house.buy("50")
    await house.submitted()
    house.portal.advance(31 * DAY)
    message = await house.told("may or may not have been charged")
    assert "Connect" in buttons(message)
    house.portal.charges[0].fate = "settled"
    house.portal.charges[0].settle_at = house.portal.now()
    await house.connect()
    await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1


async def test_a_charge_without_a_clear_answer_goes_on_after_connecting_again(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        house.portal_clock.speed = 1
        await house.link()
        house.portal.fail("/api/billing/charge", Fault(drop=True, after_work=True), method="POST", times=99)
        await house.buy("50")
        await house.unanswered()
        house.portal.advance(31 * DAY)
        frozen.tick(61)
        await house.told("may or may not have been charged")
        house.portal.mend()
        house.portal.advance(3)
        await house.link(minutes=60)
        house.app.runtime.accounts.forget_cached(house.identity().key)
        frozen.tick(301)
        house.app.engine.wake("charge")
        await house.told("$50 added to your balance")
    assert len(house.portal.charges) == 1


@pytest.mark.behaviour(25)
async def test_a_charge_id_of_303_characters_is_followed_with_one_request_for_money(house: House) -> None:
    await house.link(ADA, "xena")
    await house.buy("50")
    await house.told("$50 added to your balance")
    assert len(house.portal.charge_posts) == 1
    (charge,) = await house.charges()
    assert len(charge.portal_charge_id or "") == 303


async def test_an_organization_with_extreme_texts_and_amounts_can_be_looked_at_and_bought_for(
    house: House,
) -> None:
    text = await overview(house, "xena")
    assert "Balance $10,000,000,000,000,000,000,000,000" in text
    for command, words in (
        ("/billing limit", "Monthly limit"),
        ("/billing auto-reload", "Auto-reload is"),
        ("/billing subscription", "plan"),
        ("/billing buy", "Your balance is"),
    ):
        shown = await modal(house, command, words)
        assert "Something went wrong" not in shown
        await house.slack.close(ADA, everything=True)
    await house.slack.open_home(ADA)
    await house.until(lambda: "Balance $10" in str(house.slack.home(ADA)))


async def test_a_refusal_with_a_nul_in_its_message_is_a_clear_refusal(house: House) -> None:
    await house.link()
    body = '{"error": "validation_failed", "message": "No\\u0000t like \\ud800that."}'
    house.portal.fail("/api/billing/charge", Fault(status=400, body=body), method="POST")
    await house.buy("50")
    message = await house.told("was not charged")
    assert "Not like \ufffdthat." in message["text"]
    (charge,) = await house.charges()
    assert charge.state is ChargeState.REFUSED


@pytest.mark.behaviour(59)
async def test_bank_verification_behind_a_failed_upgrade_leads_to_the_portal(house: House) -> None:
    await house.link()
    await modal(house, "/billing subscription", "Plus plan")
    house.portal.set_scenario("acme", "3ds-behind-payment-failed")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in str(house.slack.view(ADA)))
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told("requires verification")
    assert "support@nousresearch.com" in message["text"]


@pytest.mark.behaviour(59)
async def test_after_an_upgrade_the_old_plan_is_not_shown_as_if_nothing_had_happened(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    house.portal.set_scenario("acme", "upgrade-applies-late")
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in str(house.slack.view(ADA)))
    await house.slack.click(ADA, "plan_upgrade")
    await house.told("Upgraded to Super")
    await house.slack.close(ADA, everything=True)
    shown = await modal(house, "/billing subscription", "Applying Super")
    assert "Plus plan" not in shown
    assert "Applying Super" in await ask(house, "/billing")
    await house.slack.close(ADA, everything=True)
    house.portal.advance(31)
    assert "Super plan" in await ask(house, "/billing")
    await modal(house, "/billing subscription", "Super plan")


@pytest.mark.behaviour(15)
async def test_a_team_is_offered_no_plan_although_the_portal_names_some(house: House) -> None:
    await house.link(ADA, "theo")
    shown = await modal(house, "/billing subscription", "A team has no personal plan")
    assert "plan_tier" not in shown
    assert "Cancel plan" not in shown


async def test_torn_tiers_cost_no_more_than_what_is_torn(house: House) -> None:
    await house.link(ADA, "tove")
    shown = await modal(house, "/billing subscription", "Change to")
    assert "Ultra" not in shown, "a plan whose order is null counts as the free one"
    assert "'value': 'super'" in shown


@pytest.mark.behaviour(60)
async def test_the_free_plan_lists_the_catalog_with_links_to_the_portal(house: House) -> None:
    await house.link(ADA, "mara")
    shown = await modal(house, "/billing subscription", "free plan")
    assert "Super*, $100 a month, $110 to use" in shown
    assert "&plan=super" in shown


async def test_the_default_ceiling_says_that_another_limit_can_be_set(house: House) -> None:
    await house.link()
    await modal(house, "/billing buy 50", "Pay $50 now")
    house.portal.set_scenario("acme", "cap-exceeded")
    await house.slack.submit(ADA)
    message = await house.told("$12.50 is left this month")
    assert "default ceiling; another limit can be set there" in message["text"]


async def test_with_the_switch_off_an_admin_is_told_where_to_turn_it_on(house: House) -> None:
    house.portal.set_scenario("acme", "switch-off")
    text = await overview(house, "grace")
    assert "Remote Spending is switched off for Acme Research. You can turn it on" in text
    assert "Hermes Agent page" in text
    finance = await overview(house, "frida")
    assert "An owner or admin turns it on" in finance


async def test_an_admin_whom_the_portal_does_not_let_spend_is_not_told_that_admins_may(
    house: House,
) -> None:
    text = await overview(house, "hedy")
    assert "can add funds. Ask one of them" not in text
    assert "The portal does not let your account add funds here" in text


@pytest.mark.behaviour(10)
async def test_a_connection_without_the_permission_leads_with_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    assert buttons(house.last_ephemeral())[:2] == ["Enable billing", "Add funds"]
    styles = {
        element["text"]["text"]: element.get("style")
        for block in house.last_ephemeral()["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }
    assert (styles["Enable billing"], styles["Add funds"]) == ("primary", None)
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    house.portal.approve(house.user_code())
    await house.until(lambda: "Continue with /billing buy" in str(house.last_ephemeral()["blocks"]))
    await house.slack.click_text(ADA, "Continue with /billing buy")
    await house.until(lambda: house.view_title() == "Add funds")


async def test_auto_reload_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing auto-reload 5 25", "Turn on")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in str(house.slack.view(ADA)))
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.slack.view(ADA)))
    house.portal.approve(str(house.slack.view(ADA)).partition("user_code=")[2].partition("'")[0])
    await house.until(lambda: "Continue with /billing auto-reload" in str(house.slack.view(ADA)))


@pytest.mark.behaviour(42)
async def test_enabling_billing_for_a_command_refuses_another_account(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Enable billing")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    house.portal.approve(house.user_code(), person="grace")
    await house.until(lambda: "another account or organization" in house.last_ephemeral()["text"])


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("chat.postMessage", "messages_tab_disabled"),
        ("chat.postMessage", "restricted_action"),
        ("conversations.open", "user_not_found"),
    ],
)
async def test_the_open_modal_gets_its_outcome_although_no_message_can_be_posted(
    house: House, method: str, error: str
) -> None:
    await house.link()
    house.slack.faults.add(method=method, kind="error", error=error, times=99)
    await house.buy("50")
    await house.until(lambda: "$50 added to your balance" in str(house.slack.view(ADA)))


async def test_a_balance_says_as_of_when_and_is_refreshed_by_a_button(house: House) -> None:
    await house.link()
    assert "As of" in await ask(house, "/billing")
    house.portal.organisations["acme"].balance += 10
    shown = len(house.slack.ephemerals(ADA))
    await house.slack.click_text(ADA, "Refresh")
    await house.until(lambda: "Balance $152.50" in house.last_ephemeral()["text"])
    assert len(house.slack.ephemerals(ADA)) == shown
    await house.slack.open_home(ADA)
    await house.until(lambda: "Balance $152.50" in str(house.slack.home(ADA)))
    house.portal.organisations["acme"].balance += 10
    await house.slack.click_text(ADA, "Refresh", in_="home")
    await house.until(lambda: "Balance $162.50" in str(house.slack.home(ADA)))


async def test_the_amount_modal_is_refreshed_and_keeps_what_was_typed(house: House) -> None:
    await house.link()
    await modal(house, "/billing buy", "Your balance is *$142.50*")
    await house.slack.select(ADA, "amount_preset", "custom")
    await house.until(lambda: "amount_custom" in str(house.slack.view(ADA)))
    await house.slack.type(ADA, "amount_custom", "77")
    house.portal.organisations["acme"].balance += 10
    await house.slack.click_text(ADA, "Refresh")
    await house.until(lambda: "Your balance is *$152.50*" in str(house.slack.view(ADA)))
    await house.slack.submit(ADA)
    await house.until(lambda: "Pay $77 now" in str(house.slack.view(ADA)))


async def test_the_overview_follows_a_purchase_made_from_it(house: House) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")
    await house.until(lambda: "Balance $192.50" in house.last_ephemeral()["text"])
    assert len(house.slack.ephemerals(ADA)) == 1


async def test_what_has_taken_the_overviews_place_is_not_overwritten(house: House) -> None:
    await house.link(billing=False)
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.told("One-time setup")
    await house.slack.close(ADA, everything=True)
    await house.slack.click_text(ADA, "Enable billing", in_="ephemeral")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    house.portal.approve(house.user_code())
    await house.told("$50 can go on")
    await house.until(lambda: "Continue with" in str(house.last_ephemeral()["blocks"]))
    await house.slack.click_text(ADA, "Resume $50", in_="message")
    await house.told("$50 added to your balance")
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "Continue with" in str(house.last_ephemeral()["blocks"])


async def test_no_amount_is_offered_that_is_known_to_fail(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "cap-exceeded")
    shown = await modal(house, "/billing buy", "Your balance is")
    assert "Between $5 and $12.50: the monthly limit leaves no more" in shown
    assert "$25" not in shown
    await house.slack.close(ADA, everything=True)
    await modal(house, "/billing buy 50", "The largest amount is $12.50: the monthly limit leaves no more")
    assert house.portal.charge_posts == []


async def test_when_no_amount_is_possible_it_says_why(house: House) -> None:
    await house.link()
    cap = house.portal.organisations["acme"].cap
    assert cap is not None
    cap.spent = cap.limit - 3
    shown = await modal(house, "/billing buy", "Nothing can be added now")
    assert "The monthly limit leaves *$3*, and the smallest purchase is more than that" in shown


async def test_a_purchase_is_traced_by_the_portals_id_and_by_a_beginning(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    portal_id = str(charge.portal_charge_id)
    for named in (portal_id, portal_id[:10], charge.id, charge.id[:6]):
        assert f"Purchase {charge.id}" in await ask(house, f"/billing trace {named}")
    assert "There is no such purchase of yours" in await ask(house, f"/billing trace {portal_id}x")
    await house.link(LINUS, "grace")
    assert "There is no such purchase of yours" in await ask(house, f"/billing trace {portal_id}", LINUS)


async def test_a_beginning_of_several_purchases_asks_for_more_of_it(house: House) -> None:
    await house.link()
    for amount in ("50", "60"):
        await house.buy(amount)
        await house.told(f"${amount} added to your balance")
    assert "Several of your purchases begin with that" in await ask(house, "/billing trace ch_")


async def test_a_failed_charge_names_whom_to_ask(house: House) -> None:
    await house.link()
    await house.buy("10.01")
    message = await house.told("was declined")
    assert "support@nousresearch.com" in message["text"]


@pytest.mark.behaviour(21)
async def test_an_owner_who_never_set_auto_reload_up_reads_off(house: House) -> None:
    house.portal.organisations["acme"].auto_reload = None
    await house.link()
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "Auto-reload is *off*" in shown
    assert "not visible" not in shown


@pytest.mark.behaviour(21)
async def test_auto_reload_is_not_offered_without_a_payment_method(house: House) -> None:
    await house.link(ADA, "mara")
    shown = await modal(house, "/billing auto-reload", "Auto-reload is")
    assert "It needs a payment method on file" in shown
    assert (house.slack.view(ADA) or {}).get("submit") is None


@pytest.mark.behaviour(21)
async def test_an_auto_reload_threshold_below_the_bounds_is_refused_here(house: House) -> None:
    await house.link()
    await modal(house, "/billing auto-reload 1 25", "The smallest amount is $5")


async def test_what_was_confirmed_is_kept_as_facts(house: House) -> None:
    await house.link(ADA, "wanda")
    await house.buy("50")
    await house.told("$50 added to your balance")
    (charge,) = await house.charges()
    assert charge.payment_method is not None
    known = replace(charge.payment_method, resolved_via=None)
    assert known == PaymentMethod(brand="visa", last4="4242", wallet="apple_pay")
    assert charge.account_email
    assert charge.amount <= MOST_CHARGED


async def test_a_plain_reconnect_asks_for_no_scope_of_the_connection_before(house: House) -> None:
    await house.link(minutes=1)
    house.portal.set_scenario("acme", "refresh-forbidden")
    assert "has ended" in await ask(house, "/billing")
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.command(ADA, "/billing connect")
    await house.until(lambda: "user_code=" in str(house.last_ephemeral()["blocks"]))
    asked = [each for each in house.portal.requests if each.path == "/api/oauth/device/code"][-1]
    assert b"tool" not in asked.body


async def test_usage_says_applying_after_an_upgrade_too(house: House) -> None:
    house.portal_clock.speed = 1
    await house.link()
    house.portal.set_scenario("acme", "upgrade-applies-late")
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in str(house.slack.view(ADA)))
    await house.slack.click(ADA, "plan_upgrade")
    await house.told("Upgraded to Super")
    text = await ask(house, "/billing usage")
    assert "Applying Super" in text
    assert "Plus plan" not in text


async def test_app_home_follows_a_purchase_although_no_message_can_be_posted(house: House) -> None:
    await house.link()
    await house.slack.open_home(ADA)
    await house.until(lambda: "Balance $142.50" in str(house.slack.home(ADA)))
    house.slack.faults.add(method="chat.postMessage", kind="error", error="messages_tab_disabled", times=99)
    await house.buy("50")
    await house.until(lambda: "Balance $192.50" in str(house.slack.home(ADA)))


async def test_an_overview_that_was_refreshed_while_the_charge_was_pending_follows_it_too(
    house: House,
) -> None:
    await house.link()
    house.portal_clock.speed = 1
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.submitted()
    await house.slack.close(ADA, everything=True)
    asked = account_calls(house)
    await house.slack.click_text(ADA, "Refresh", in_="ephemeral")
    await house.until(lambda: account_calls(house) > asked)
    await house.told("$50 added to your balance")
    await house.until(lambda: "Balance $192.50" in house.last_ephemeral()["text"])


async def test_an_overview_of_another_account_is_left_as_it_is(house: House) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.click_text(ADA, "Add funds")
    await house.until(lambda: (house.slack.view(ADA) or {}).get("submit"))
    await house.slack.close(ADA, everything=True)
    await house.link(ADA, "rolf")
    house.app.runtime.accounts.forget_cached(house.identity().key)
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "Balance $142.50" in house.last_ephemeral()["text"]


async def test_a_login_that_has_lost_its_organization_is_told_so_everywhere(house: House) -> None:
    await house.link()
    house.portal.people["ada"].organisation = None
    assert "does not belong to an organization" in await ask(house, "/billing")
    assert "does not belong to an organization" in await ask(house, "/billing usage")


async def test_an_owner_over_their_own_limit_is_led_to_the_portal_and_not_to_add_funds(
    house: House,
) -> None:
    ada = house.portal.people["ada"]
    ada.spend_cap, ada.spent = Decimal(25), Decimal("25.318402771953")
    text = await overview(house, "ada")
    assert "you can raise the limit on the portal" in text
    styles = [
        element.get("style")
        for block in house.last_ephemeral()["blocks"]
        for element in block.get("elements", [])
    ]
    assert "primary" not in styles


async def test_a_plan_charge_to_a_method_that_is_no_card_speaks_of_no_card(house: House) -> None:
    await house.link(ADA, "lena")
    lena = house.portal.organisations["linkpay"]
    lena.subscription = Subscription(tier="plus", credits_remaining=Decimal("13.199784210017"))
    object.__setattr__(lena.other_method, "resolved_via", None)
    house.portal.set_scenario("linkpay", "declined")
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Due now" in str(house.slack.view(ADA)))
    assert "charge your payment method." in str(house.slack.view(ADA))
    assert "card" not in str((house.slack.view(ADA) or {})["blocks"])
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told("Your payment method was declined")
    assert "card" not in message["text"]


async def test_enabling_billing_while_the_switch_is_off_says_what_is_missing(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.told("One-time setup")
    code = await house.enable_billing()
    house.portal.set_scenario("acme", "switch-off")
    house.portal.approve(code)
    message = await house.replied("$50 cannot go on yet")
    assert "Remote Spending is switched off" in message["text"]
    assert "Resume $50" not in str(message["blocks"])


async def test_a_plan_change_without_the_permission_offers_to_enable_billing(house: House) -> None:
    await house.link(billing=False)
    await modal(house, "/billing subscription", "Plus plan")
    await house.slack.select(ADA, "plan_tier", "super")
    await house.slack.submit(ADA)
    await house.until(lambda: "Enable billing" in str(house.slack.view(ADA)))


@pytest.mark.behaviour(26)
async def test_a_charge_id_that_cannot_be_kept_is_not_asked_for_again_and_again(house: House) -> None:
    house.portal.organisations["extreme"].charge_id_length = 2500
    await house.link(ADA, "xena")
    await house.buy("50")
    await house.told("may or may not have been charged")
    assert len(house.portal.charge_posts) == 1


@pytest.mark.behaviour(24)
async def test_a_purchase_that_the_edges_firewall_turns_away_is_told_at_once(house: House) -> None:
    await house.link()
    house.portal.fail("/api/billing/charge", FIREWALL_DENIES, method="POST", times=9)
    await house.buy("50")
    message = await house.told("was not charged")
    assert "not available on the portal right now" in message["text"]
    assert "Too many" not in message["text"]


async def test_a_firewall_that_names_a_wait_is_not_asked_again_before(house: House) -> None:
    await house.link(minutes=1)
    await house.app.runtime.accounts.access_token(house.identity())
    house.portal.set_scenario("acme", "pending-for-ever")
    await house.buy("50")
    await house.submitted()
    house.portal.expire_access_tokens()
    refreshes = sum(each.path == "/api/oauth/token" for each in house.portal.requests)
    house.portal.fail("/api/oauth/token", replace(FIREWALL, retry_after="20"), times=99)
    await house.until(
        lambda: sum(each.path == "/api/oauth/token" for each in house.portal.requests) > refreshes
    )
    house.app.runtime.accounts.forget_cached(house.identity().key)
    polls = house.polls()
    await asyncio.sleep(1)  # twenty intervals, in which nothing may happen
    assert house.polls() - polls <= 1


@pytest.mark.behaviour(40)
async def test_a_permission_that_comes_while_the_portal_misses_it_is_seen(house: House) -> None:
    await house.link(billing=False)
    held = Fault(seconds=0.6, after_work=True)
    house.portal.fail("/api/billing/charge", held, method="POST")
    await house.buy("50")
    await house.until(lambda: house.portal.charge_posts)
    await house.link()
    await house.told("$50 can go on")


@pytest.mark.behaviour(40)
async def test_resume_goes_when_its_grant_does(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.told("One-time setup")
    await house.link()
    await house.told("$50 can go on")
    await house.slack.command(ADA, "/billing disconnect")
    message = await house.told("One-time setup")
    assert "Resume" not in str(message["blocks"])


async def test_a_purchase_resumed_late_in_its_day_is_followed_for_a_day(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        house.portal_clock.speed = 1
        await house.link(billing=False, minutes=60 * 48)
        await house.buy("50")
        await house.told("One-time setup")
        frozen.tick(timedelta(hours=23, minutes=59))
        house.portal.set_scenario("acme", "pending-for-ever")
        await house.link(minutes=60 * 48)
        await house.told("$50 can go on")
        await house.slack.close(ADA, everything=True)
        await house.slack.click_text(ADA, "Resume $50")
        await house.submitted()
        frozen.tick(301)
        await house.told("a timeout, not a failure")
        charge = (await house.charges())[0]
        async with house.app.runtime.database.transaction() as connection:
            due = (await connection.execute(sql("SELECT due_at FROM charges"))).scalar_one()
        assert due is not None
        assert charge.confirmed_at is not None


async def test_a_slow_answer_to_a_click_in_a_message_leaves_the_message(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.slack.close(ADA, everything=True)
    house.portal.fail("/api/billing/state", Fault(seconds=2.5))
    await house.slack.click_text(ADA, "Show my balance")
    await house.until(lambda: "Balance $192.50" in house.last_ephemeral()["text"])
    assert "$50 added to your balance" in house.dm()[-1]["text"]
    assert len(house.slack.ephemerals(ADA)) == 1


async def test_a_cancelled_link_in_a_thread_looks_dead(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.told("One-time setup")
    await house.enable_billing()
    await house.slack.click_text(ADA, "Cancel", in_="message")
    message = await house.replied("Connecting was cancelled")
    assert "Open Nous Portal" not in str(message["blocks"])
    assert house.slack.ephemerals(ADA) == []


async def test_of_two_clicks_on_enable_billing_one_link_lives_and_it_works(house: House) -> None:
    await house.link(billing=False)
    await house.buy("50")
    await house.told("One-time setup")
    await house.slack.close(ADA, everything=True)
    clicks = (house.slack.click_text(ADA, "Enable billing", in_="message") for _ in range(2))
    await asyncio.gather(*clicks)

    def living() -> list[dict[str, object]]:
        return [each for each in house.replies() if "user_code=" in str(each["blocks"])]

    await house.until(lambda: any("newer link" in each["text"] for each in house.replies()))
    await house.until(lambda: len(living()) == 1)
    house.portal.approve(house.user_code(ADA, living()[0]))
    await house.told("$50 can go on")


async def test_disconnecting_ends_the_links_that_are_open(house: House) -> None:
    await connecting(house)
    shown = house.last_ephemeral()
    await house.slack.command(ADA, "/billing disconnect")
    await house.until(lambda: "Open Nous Portal" not in str(house.slack.ephemerals(ADA)))
    assert shown


async def test_a_cancelled_grant_is_not_said_to_be_approved(house: House) -> None:
    house.portal.fail("/api/oauth/account", replace(AWAY, seconds=1.0), times=1)
    house.portal.approve(await connecting(house))
    await house.until(lambda: account_calls(house) == 1)
    await house.slack.click_text(ADA, "Cancel")
    await house.until(lambda: "Connecting was cancelled" in house.last_ephemeral()["text"])
    await house.until(lambda: house.app.engine.in_flight == 0)
    assert "Connecting was cancelled" in house.last_ephemeral()["text"]


@pytest.mark.parametrize("words", ["/billing auto-reload 20 100", "cancel"])
async def test_what_was_shown_for_one_account_is_done_at_no_other(house: House, words: str) -> None:
    await house.link()
    if words == "cancel":
        await modal(house, "/billing subscription", "Plus plan")
        await house.slack.click_text(ADA, "Cancel plan")
        await house.until(lambda: "Cancel *Plus*?" in str(house.slack.view(ADA)))
    else:
        await modal(house, words, "Turn on")
    await house.link(ADA, "rolf")
    house.app.runtime.accounts.forget_cached(house.identity().key)
    await house.slack.submit(ADA)
    await house.until(lambda: "This has expired" in str(house.slack.view(ADA)))
    other = house.portal.organisations["plus-rollover"]
    assert other.subscription is not None
    assert not other.subscription.cancels
    assert other.auto_reload is None or not other.auto_reload.enabled


async def test_a_negative_month_is_shown(house: House) -> None:
    cap = house.portal.organisations["acme"].cap
    assert cap is not None
    cap.limit, cap.spent = Decimal(10), Decimal(-2000)
    await house.link()
    await modal(house, "/billing limit", "-$2,000 of $10 spent")
    await house.slack.open_home(ADA)
    await house.until(lambda: "-$2,000 of $10 spent" in str(house.slack.home(ADA)))


async def test_a_database_that_cannot_be_written_leaves_buttons_that_read_alive(house: House) -> None:
    if not house.app.runtime.database.is_sqlite:
        pytest.skip("a PostgreSQL that cannot be written is in tests/outages")
    await house.link()
    await ask(house, "/billing")
    house.portal.organisations["acme"].balance += 10
    with locked(house.app.runtime.database.url.database):
        await house.slack.click_text(ADA, "Refresh", in_="ephemeral")
        await house.until(lambda: "Balance $152.50" in house.last_ephemeral()["text"])


@pytest.mark.parametrize("user", ["amount", "limit", "subscription"])
async def test_wherever_money_is_shown_it_says_whose_and_as_of_when(house: House, user: str) -> None:
    await house.link()
    command = {"amount": "/billing buy", "limit": "/billing limit", "subscription": "/billing subscription"}
    shown = await modal(house, command[user], "As of")
    assert "ada@acme.example" in shown
    assert "'Refresh'" in shown
