"""Finding one's way: what is typed means something, and every screen leads on and back."""

from __future__ import annotations

import pytest

from blocks import ids
from bot.sandbox.portal import Fault
from tests.support.house import ADA, LINUS, House
from tests.support.steps import answered, ask, modal, shown_in_modal


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [("Monthly limit", "left of $1,000"), ("History", "Your purchases"), ("Help", "What you can type")],
)
async def test_the_menu_of_the_overview_runs_what_is_chosen(house: House, chosen: str, shown: str) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.select(ADA, ids.MORE, chosen)
    await house.until(lambda: shown in house.modal().text + house.answer().text)


async def test_the_menu_shows_whose_account_it_is_with_the_way_out(house: House) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.select(ADA, ids.MORE, "Account")
    await answered(house, "You are connected as ada@acme.example")
    assert "Disconnect" in house.answer().buttons


async def test_the_menus_link_to_the_portal_is_only_acknowledged(house: House) -> None:
    await house.link()
    before = await ask(house, "/billing")
    await house.slack.select(ADA, ids.MORE, "Manage on portal")
    assert house.last_ephemeral()["text"] == before
    assert house.slack.view(ADA) is None


async def test_home_has_the_same_ways_as_the_overview(house: House) -> None:
    await house.link()
    await ask(house, "/billing")
    await house.slack.open_home(ADA)
    await house.until(lambda: "to use" in house.home().text)
    assert set(house.answer().buttons) <= set(house.home().buttons)
    assert house.home().fields[ids.MORE].options == house.answer().fields[ids.MORE].options
    await house.slack.click_text(ADA, "Plan", in_="home")
    await shown_in_modal(house, "Plus plan")


@pytest.mark.parametrize("typed", ["/billing usage", "/billing history", "/billing help"])
async def test_back_leads_from_an_answer_to_the_overview_in_its_place(house: House, typed: str) -> None:
    await house.link()
    await ask(house, typed)
    seen = len(house.slack.ephemerals(ADA))
    await house.slack.click_text(ADA, "Back")
    await answered(house, "to use*")
    assert len(house.slack.ephemerals(ADA)) == seen


async def test_details_in_a_modal_lie_on_top_of_the_list(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added to your balance")
    await house.slack.close(ADA, everything=True)
    await house.slack.open_home(ADA)
    await house.until(lambda: "All purchases" in house.home().buttons)
    await house.slack.click_text(ADA, "All purchases", in_="home")
    await shown_in_modal(house, "Your purchases")
    assert "Back" not in house.modal().buttons
    await house.slack.click_text(ADA, "Details", in_="view")
    await shown_in_modal(house, "Technical details")
    await house.slack.close(ADA)
    assert "Your purchases" in house.modal().text


async def test_help_about_one_command_explains_that_one(house: House) -> None:
    text = await ask(house, "/billing help buy")
    assert text.startswith("`/billing buy [AMOUNT]`")
    assert "`topup`" in text
    assert "usage" not in text


async def test_help_about_an_unknown_command_says_so(house: House) -> None:
    assert "There is no `/billing sing`" in await ask(house, "/billing help sing")


async def test_a_word_near_help_has_one_button(house: House) -> None:
    await ask(house, "/billing hepl")
    assert house.answer().buttons == ["/billing help"]


async def test_what_is_typed_after_a_command_that_takes_nothing_is_said_to_be_ignored(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing usage last week")
    await house.until(lambda: len(house.slack.ephemerals(ADA)) > 1)
    second, first = (each["text"] for each in house.slack.ephemerals(ADA)[-2:])
    assert first == "`/billing usage` takes nothing after it, so `last week` was ignored."
    assert "to use*" in second


@pytest.mark.parametrize("typed", ["/billing subscription super", "/billing upgrade SUPER"])
async def test_a_typed_plan_opens_its_preview(house: House, typed: str) -> None:
    await house.link()
    shown = await modal(house, typed, "Due now")
    assert "to *Super* now" in shown.text
    assert "*Then*\n$100 a month, renews" in shown.text


async def test_a_typed_plan_that_there_is_not_leads_to_those_there_are(house: House) -> None:
    await house.link()
    shown = await modal(house, "/billing subscription <huge>", "There is no plan")
    assert "There is no plan “&lt;huge&gt;” to change to here." in shown.text
    assert "plan_tier" in shown.fields


@pytest.mark.parametrize(
    "typed", ["/billing cancel", "/billing cancel plan", "/billing subscription cancel"]
)
async def test_a_typed_cancellation_asks_first_and_then_every_screen_says_when_it_ends(
    house: House, typed: str
) -> None:
    await house.link()
    shown = await modal(house, typed, "You can undo this until then.")
    assert (shown.title, shown.submit) == ("Cancel Plus?", "Cancel plan")
    assert "Keep Plus" in shown.text
    await house.slack.submit(ADA)
    await shown_in_modal(house, "· ends ")
    for screen in (await ask(house, "/billing"), await ask(house, "/billing usage")):
        assert "· ends " in screen
        assert "renews" not in screen
    await house.slack.open_home(ADA)
    await house.until(lambda: "· ends " in house.home().text)
    assert "renews" not in house.home().text


async def test_the_plans_say_what_one_gets_and_when(house: House) -> None:
    await house.link()
    shown = await modal(house, "/billing plan", "Plus plan")
    assert any(
        label.startswith("Super · $100/mo · $110 to use · $80 today")
        for label in shown.fields["plan_tier"].options
    )


async def test_the_plans_are_shown_although_the_portal_says_no_price_of_today(house: House) -> None:
    await house.link()
    house.portal.fail("/api/billing/subscription/preview", Fault(status=503), times=99, method="POST")
    shown = await modal(house, "/billing plan", "Plus plan")
    assert any("· starts today" in label for label in shown.fields["plan_tier"].options)


async def test_a_member_reaches_the_plan_usage_and_the_limit_too(house: House) -> None:
    await house.link(LINUS, "linus")
    await ask(house, "/billing", LINUS)
    assert {"Auto-reload", "Plan", "Usage"} <= set(house.answer(LINUS).buttons)
    assert "Add funds" not in house.answer(LINUS).buttons
    assert "Monthly limit" in house.answer(LINUS).fields[ids.MORE].options


async def test_disconnect_asks_first_and_keeps_the_connection_if_told_so(house: House) -> None:
    await house.link()
    assert "Disconnect ada@acme.example?" in await ask(house, "/billing disconnect")
    assert house.answer().styles["Disconnect"] == "danger"
    await house.slack.click_text(ADA, "Keep it")
    await answered(house, "to use*")
    await ask(house, "/billing disconnect")
    await house.slack.click_text(ADA, "Disconnect")
    await answered(house, "*Disconnected.*")


async def test_one_typed_amount_of_auto_reload_is_kept_and_the_other_is_asked_for(house: House) -> None:
    await house.link()
    shown = await modal(house, "/billing auto-reload 20", "Enter this amount too")
    assert shown.fields[ids.RELOAD_BELOW].initial == "$20"
    assert shown.fields[ids.RELOAD_TO].initial == ""
    await house.slack.type(ADA, ids.RELOAD_TO, "60")
    await house.slack.submit(ADA)
    await shown_in_modal(house, "charges up to *$60*")


async def test_help_about_help_is_the_help(house: House) -> None:
    assert "What you can type" in await ask(house, "/billing help help")


async def test_a_plan_that_is_canceled_already_is_not_asked_about_again(house: House) -> None:
    await house.link()
    await modal(house, "/billing cancel", "You can undo this until then.")
    await house.slack.submit(ADA)
    await shown_in_modal(house, "· ends ")
    await house.slack.close(ADA, everything=True)
    shown = await modal(house, "/billing cancel", "· ends ")
    assert shown.title == "Plan"


async def test_a_typed_plan_that_is_the_current_one_says_so(house: House) -> None:
    await house.link()
    shown = await modal(house, "/billing subscription plus", "You are on Plus already.")
    assert shown.title == "Plan"


async def test_turning_auto_reload_off_while_it_is_off_says_so(house: House) -> None:
    await house.link()
    await modal(house, "/billing auto-reload off", "Auto-reload is off already.")
