"""Auto-reload: shown, changed, each change confirmed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from tests.support.house import ADA, GRACE, LINUS, House
from tests.support.shown import Shown

if TYPE_CHECKING:
    from bot.sandbox.portal import AutoReload


def setting(house: House) -> AutoReload:
    found = house.portal.organizations["acme"].auto_reload
    assert found is not None
    return found


async def form(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload")
    await house.until(lambda: "reload_below" in house.modal().fields)


async def confirmation(house: House) -> Shown:
    await house.until(lambda: (house.slack.view(ADA) or {}).get("callback_id") == "auto_reload_confirm")
    return house.modal()


@pytest.mark.behavior(21)
@pytest.mark.behavior(22)
async def test_auto_reload_turns_on_after_a_confirmation_that_names_the_card(house: House) -> None:
    await form(house)
    await house.slack.type(ADA, "reload_below", "5")
    await house.slack.type(ADA, "reload_to", "$25")
    await house.slack.submit(ADA)
    shown = await confirmation(house)
    assert "charges up to *$25* when the balance of *Acme Research* falls below *$5*" in shown.text
    assert "ada@acme.example" in shown.text
    assert "charge your Visa ····4242 each time" in shown.text
    assert not setting(house).enabled
    await house.slack.submit(ADA)
    await house.until(lambda: "Auto-reload is on" in house.modal().text)
    now = setting(house)
    assert (now.enabled, now.threshold, now.reload_to) == (True, Decimal(5), Decimal(25))
    patch = next(each for each in house.portal.requests if each.path == "/api/billing/auto-top-up")
    assert str(patch.body).count('"') == 6


async def test_a_confirmation_of_auto_reload_works_once_and_for_fifteen_minutes(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        await house.link(minutes=60)
        await house.slack.command(ADA, "/billing auto-reload 5 25")
        shown = await confirmation(house)
        first = await house.submit_again(shown.content)
        assert "Auto-reload is on" in Shown(first["view"]).text
        second = await house.submit_again(shown.content)
        assert "This has expired" in Shown(second["view"]).text
        await house.slack.close(ADA, everything=True)
        await house.slack.command(ADA, "/billing auto-reload off")
        shown = await confirmation(house)
        frozen.tick(16 * 60)
        late = await house.submit_again(shown.content)
        assert "This has expired" in Shown(late["view"]).text
    assert setting(house).enabled


async def test_nobody_can_submit_another_persons_confirmation_of_auto_reload(house: House) -> None:
    await house.link()
    await house.link(GRACE, "grace")
    await house.slack.command(ADA, "/billing auto-reload 5 25")
    shown = await confirmation(house)
    answer = await house.submit_again(shown.content, GRACE)
    assert "This has expired" in Shown(answer["view"]).text
    assert not setting(house).enabled


@pytest.mark.behavior(21)
async def test_typed_amounts_go_straight_to_the_confirmation(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload 5 25")
    assert "falls below *$5*" in (await confirmation(house)).text


@pytest.mark.behavior(21)
async def test_turning_auto_reload_off_sends_the_current_amounts(house: House) -> None:
    await house.link()
    before = setting(house)
    before.enabled = True
    await house.slack.command(ADA, "/billing auto-reload off")
    assert "Turn off auto-reload?" in (await confirmation(house)).text
    await house.slack.submit(ADA)
    await house.until(lambda: "Auto-reload is off" in house.modal().text)
    now = setting(house)
    assert (now.enabled, now.threshold, now.reload_to) == (False, before.threshold, before.reload_to)


@pytest.mark.behavior(21)
async def test_an_empty_field_keeps_its_value(house: House) -> None:
    await form(house)
    kept = setting(house).reload_to
    await house.slack.type(ADA, "reload_below", "7.5")
    await house.slack.submit(ADA)
    assert "falls below *$7.50*" in (await confirmation(house)).text
    await house.slack.submit(ADA)
    await house.until(lambda: "Auto-reload is on" in house.modal().text)
    assert setting(house).reload_to == kept


@pytest.mark.behavior(21)
@pytest.mark.parametrize(
    ("below", "to", "field", "words"),
    [
        ("25", "25", "reload_to", "Choose more than the amount it falls below"),
        ("x", "25", "reload_below", "Enter a dollar amount, e.g. 100"),
        ("5", "1e3", "reload_to", "Enter a dollar amount, e.g. 100"),
        ("-5", "25", "reload_below", "Enter an amount above $0"),
    ],
)
async def test_a_wrong_amount_shows_an_error_beside_its_field(
    house: House, below: str, to: str, field: str, words: str
) -> None:
    await form(house)
    await house.slack.type(ADA, "reload_below", below)
    await house.slack.type(ADA, "reload_to", to)
    answer = await house.slack.submit(ADA)
    assert answer.errors == {field: words}


@pytest.mark.parametrize("typed", ["5 25 50", "on", "25 5", "x y", "5 100000"])
async def test_unreadable_amounts_open_the_form_with_one_sentence(house: House, typed: str) -> None:
    await house.link()
    await house.slack.command(ADA, f"/billing auto-reload {typed}")
    await house.until(lambda: "reload_below" in house.modal().fields)
    assert [line for line in house.modal().text.splitlines() if line.endswith(".*")]
    assert not setting(house).enabled


async def test_a_member_cannot_change_auto_reload(house: House) -> None:
    await house.link(LINUS, "linus")
    await house.slack.command(LINUS, "/billing auto-reload")
    await house.until(lambda: "manages auto-reload" in house.modal(LINUS).text)
    assert not house.modal(LINUS).submit


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("auto-reload-failures", "Auto-reload is off after failed payments"),
        ("session-revoked", "logged out"),
        ("portal-down", "Nous Portal did not answer"),
        ("switch-off", "turned off"),
    ],
)
async def test_the_modal_shows_a_refusal_while_saving(house: House, scenario: str, words: str) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload 5 25")
    await confirmation(house)
    house.portal.set_scenario("acme", scenario)
    await house.slack.submit(ADA)
    await house.until(lambda: words in house.modal().text)
    assert not setting(house).enabled


async def test_back_returns_to_the_form(house: House) -> None:
    await house.link()
    await house.slack.command(ADA, "/billing auto-reload 5 25")
    await confirmation(house)
    await house.slack.click_text(ADA, "Back")
    await house.until(lambda: "reload_below" in house.modal().fields)
