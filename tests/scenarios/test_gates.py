"""Who may do what, judged on the click, and what each refusal says."""

from __future__ import annotations

import json

import pytest

from blocks import ids
from bot.sandbox.portal.faults import Fault
from tests.support.house import ADA, LINUS, House
from tests.support.shown import Shown
from tests.support.steps import ask


@pytest.mark.behavior(6)
async def test_a_person_who_is_not_connected_sees_how_to_connect(house: House) -> None:
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Connect your portal account once" in house.last_ephemeral()["text"])
    await house.slack.command(ADA, "/billing usage")
    await house.until(lambda: "Connect your Nous Portal account first" in house.last_ephemeral()["text"])


@pytest.mark.behavior(5)
async def test_a_member_sees_the_balance_and_the_portal_and_no_money_buttons(house: House) -> None:
    await house.link(LINUS, "linus")
    await house.slack.command(LINUS, "/billing")
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral(LINUS)["text"])
    shown = house.answer(LINUS)
    assert "An owner, admin or finance admin can add funds" in shown.text
    assert "Manage on portal" in shown.fields[ids.MORE].options
    assert "Add funds" not in shown.text


@pytest.mark.behavior(1)
async def test_a_member_who_types_buy_sees_whom_to_ask(house: House) -> None:
    await house.link(LINUS, "linus")
    await house.slack.command(LINUS, "/billing buy 50")
    await house.until(lambda: "Only an owner, admin or finance admin" in house.modal(LINUS).text)
    assert house.portal.charge_posts == []


@pytest.mark.behavior(3)
async def test_a_finance_admin_with_the_capability_may_buy(house: House) -> None:
    await house.link(ADA, "frida")
    await house.buy("50")
    await house.told("$50 added to your balance")


@pytest.mark.behavior(1)
async def test_the_overview_and_buy_say_that_the_switch_is_off(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "switch-off")
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "turned off" in house.last_ephemeral()["text"])
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "turned off" in house.modal().text)
    assert house.portal.charge_posts == []


@pytest.mark.behavior(11)
async def test_a_purchase_without_a_card_continues_once_there_is_one(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "no-card")
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(
        lambda: house.modal().title == "Add a card first" and "check again" in house.modal().text
    )
    for _ in range(2):
        await house.slack.click_text(ADA, "I've added it, check again")
        await house.until(lambda: "still no payment method" in house.modal().text)
    house.portal.set_scenario("acme", "by-amount")
    await house.slack.click_text(ADA, "I've added it, check again")
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.told("$50 added to your balance")


@pytest.mark.behavior(28)
@pytest.mark.parametrize(
    ("scenario", "words", "next_step"),
    [
        ("role-required", "role in the portal does not allow this", "Manage on portal"),
        ("cap-exceeded", "$12.50 is left this month", "Manage on portal"),
        ("consent-required", "one-time confirmation", "Manage on portal"),
        ("org-access-denied", "does not cover this organization", "Connect"),
        ("remote-spending-revoked", "An admin turned off Remote Spending", "Connect"),
        ("session-revoked", "logged out", "Connect"),
        ("switch-off", "turned off", "Manage on portal"),
        ("no-card", "no payment method on file", "Manage on portal"),
    ],
)
async def test_a_refused_charge_shows_its_reason_and_the_next_step(
    house: House, scenario: str, words: str, next_step: str
) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing buy 50")
    await house.confirm_shown()
    house.portal.set_scenario("acme", scenario)
    await house.slack.submit(ADA)
    message = await house.told(words)
    assert "$50 was not charged" in message["text"]
    assert next_step in Shown(message).buttons
    assert house.portal.charges == []
    await house.until(lambda: house.modal().title == "Not charged")


@pytest.mark.behavior(6)
@pytest.mark.parametrize("scenario", ["portal-down", "state-non-json"])
async def test_an_outage_is_not_called_a_logout(house: House, scenario: str) -> None:
    await house.link()
    house.portal.set_scenario("acme", scenario)
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Couldn't load billing" in house.last_ephemeral()["text"])
    assert "Connect" not in house.answer().text
    assert "You are still connected" in house.last_ephemeral()["text"]


async def test_a_person_who_is_not_connected_is_not_told_that_they_are(house: House) -> None:
    house.portal.fail("/api/oauth/device/code", Fault(status=503, body=""))
    answer = await ask(house, "/billing connect")
    assert "did not answer" in answer
    assert "still connected" not in answer
    assert "Connect" in house.answer().buttons


@pytest.mark.parametrize("error", ["invalid_request", "invalid_client"])
async def test_a_refusal_to_renew_is_said_as_one_and_keeps_the_tokens(house: House, error: str) -> None:
    await house.link(minutes=1)
    before = await house.app.runtime.links.get(house.identity())
    house.portal.fail("/api/oauth/token", Fault(status=400, body=json.dumps({"error": error})), times=9)
    answer = await ask(house, "/billing")
    assert "refused to renew your connection" in answer
    assert {"Connect", "Try again"} <= set(house.answer().buttons)
    assert await house.app.runtime.links.get(house.identity()) == before


@pytest.mark.behavior(8)
async def test_the_overview_leaves_out_the_plan_when_the_account_call_fails(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "account-unavailable")
    await house.slack.command(ADA, "/billing")
    await house.until(lambda: "Balance $142.50" in house.last_ephemeral()["text"])
    assert "top-ups" not in house.last_ephemeral()["text"]


async def test_a_slow_portal_delays_no_acknowledgement_and_a_message_says_to_wait(house: House) -> None:
    await house.link()
    house.portal.hang_seconds = 2.5
    house.portal.set_scenario("acme", "portal-hangs")
    answer = await house.slack.command(ADA, "/billing")
    assert answer.ack_ms < 1000
    await house.until(lambda: "Asking Nous Portal…" in house.last_ephemeral()["text"])
    await house.until(lambda: "$155.70 to use" in house.last_ephemeral()["text"])
    assert len(house.slack.ephemerals(ADA)) == 1


@pytest.mark.behavior(14)
async def test_limit_shows_the_monthly_limit(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing limit")
    await house.until(lambda: "of $1,000" in house.modal().text)
    assert house.modal().title == "Monthly limit"
    assert "$820 left of $1,000 this month (the portal's default)" in house.modal().text


@pytest.mark.behavior(14)
async def test_limit_says_that_no_monthly_limit_is_set(house: House) -> None:
    await house.link(ADA, "mara")
    await house.slack.command(ADA, "/billing limit")
    await house.until(lambda: "No monthly limit set" in house.modal().text)


@pytest.mark.behavior(21)
async def test_auto_reload_shows_the_setting(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload")
    await house.until(lambda: "Auto-reload is *off*" in house.modal().text)
    assert house.modal().title == "Auto-reload"


@pytest.mark.behavior(10)
async def test_usage_is_in_dollars(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing usage")
    await house.until(lambda: "to use" in house.last_ephemeral()["text"])
    assert "credits" not in str(house.last_ephemeral()).lower()
    assert "billing:manage" not in str(house.last_ephemeral())


@pytest.mark.parametrize("typed", ["help", "HELP", "?", "--help"])
async def test_help_lists_what_can_be_typed(house: House, typed: str) -> None:
    await house.slack.command(ADA, f"/billing {typed}")
    await house.until(lambda: "What you can type" in house.last_ephemeral()["text"])
    assert "`/billing buy [AMOUNT]`" in house.last_ephemeral()["text"]


@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        ("conect", "connect"),
        ("by", "buy"),
        ("halp", "help"),
        ("Limits", "limit"),
        ("disconect", "disconnect"),
    ],
)
async def test_a_typing_error_gets_a_suggestion(house: House, typed: str, guess: str) -> None:
    await house.slack.command(ADA, f"/billing {typed}")
    await house.until(lambda: f"Did you mean `/billing {guess}`?" in house.last_ephemeral()["text"])
    assert f"/billing {guess}" in house.answer().buttons


@pytest.mark.parametrize("typed", ["50", "$50", "50 usd", "topup 50", "add 50 dollars", "Pay $50"])
async def test_an_amount_and_other_words_for_buy_go_to_the_confirmation(house: House, typed: str) -> None:
    await house.link()
    await house.slack.command(ADA, f"/billing {typed}")
    assert (await house.confirm_shown())["submit"]["text"] == "Pay $50 now"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("balance", "$155.70 to use"), ("STATUS", "$155.70 to use"), ("receipts", "Your purchases")],
)
async def test_near_words_mean_the_command_that_is_meant(house: House, typed: str, shown: str) -> None:
    await house.link()
    await house.slack.command(ADA, f"/billing {typed}")
    await house.until(lambda: shown in house.last_ephemeral()["text"])


async def test_unknown_input_is_escaped_and_leads_to_the_help(house: House) -> None:
    await house.slack.command(ADA, "/billing <!channel> & `x`")
    await house.until(lambda: "There is no" in house.last_ephemeral()["text"])
    text = house.last_ephemeral()["text"]
    await house.slack.click_text(ADA, "Help")
    await house.until(lambda: "What you can type" in house.last_ephemeral()["text"])
    assert "<!channel>" not in text
    assert "There is no `/billing &lt;!channel&gt; &amp; x`." in text


async def test_an_unexpected_error_shows_an_id_that_the_log_carries(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.link()
    house.slack.faults.add(method="views.open", kind="error", error="a_new_error_of_slack")
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: "Something went wrong on our side" in house.last_ephemeral()["text"])
    incident = house.last_ephemeral()["text"].rpartition("`")[0].rpartition("`")[2]
    assert len(incident) == 8
    assert f"incident={incident}" in capsys.readouterr().out
    assert "a_new_error_of_slack" not in house.last_ephemeral()["text"]


async def test_a_modal_that_was_closed_while_loading_leaves_no_error(house: House) -> None:
    await house.link()
    house.portal.hang_seconds = 0.5
    house.portal.set_scenario("acme", "portal-hangs")
    await house.slack.command(ADA, "/billing buy 50")
    await house.until(lambda: house.slack.view(ADA))
    await house.slack.close(ADA)
    await house.until(lambda: any(each.method == "views.update" for each in house.slack.api_calls))
    assert house.slack.view(ADA) is None
    assert house.last_ephemeral()["text"] == ""
