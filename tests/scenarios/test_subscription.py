"""The plan: seen, previewed, changed, cancelled, kept, upgraded once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from freezegun import freeze_time
from sqlalchemy import update

from bot.domain.charge import ChargeKind, ChargeState
from bot.sandbox.portal import Fault
from bot.sandbox.portal.models import TIERS
from bot.storage.database import Database
from bot.storage.tables import charges
from bot.system_clock import SystemClock
from tests.support.house import ADA, LINUS, House
from tests.support.shown import Shown


async def plan(house: House, person: str = "ada", user: str = ADA) -> Shown:
    await house.link(user, person)
    await house.slack.command(user, "/billing subscription")
    await house.until(lambda: "Asking" not in house.modal(user).text and house.slack.view(user))
    return house.modal(user)


def tiers(house: House) -> dict[str, str]:
    """Names of the plans on offer, by their value."""
    options = house.modal().fields["plan_tier"].options
    return {label.partition(" · ")[0]: value for label, value in options.items()}


async def choose(house: House, name: str) -> Shown:
    await house.slack.select(ADA, "plan_tier", tiers(house)[name])
    await house.slack.submit(ADA)
    await house.until(lambda: "Loading the preview" not in house.modal().text)
    return house.modal()


def upgrades_to(house: House) -> str:
    """The plan above the current one."""
    return list(tiers(house))[-1]


async def upgrade(house: House) -> None:
    await plan(house)
    await choose(house, upgrades_to(house))
    await house.slack.click(ADA, "plan_upgrade")


async def test_the_plan_is_shown_with_its_bar_and_what_it_can_become(house: House) -> None:
    shown = await plan(house)
    assert "Plus plan" in shown.text
    assert "$100/mo" in shown.text
    assert "Manage on portal" in shown.buttons


@pytest.mark.behavior(60)
async def test_plans_that_are_not_on_offer_and_the_current_one_are_not_listed(house: House) -> None:
    await plan(house)
    assert "Plus" not in tiers(house)
    subscription, _, _ = await house.app.runtime.billing.subscription(house.identity())
    hidden = {tier.name for tier in subscription.tiers if not tier.is_enabled}
    assert not hidden & set(tiers(house))


@pytest.mark.behavior(56)
@pytest.mark.behavior(57)
@pytest.mark.behavior(58)
async def test_an_upgrade_is_previewed_and_waits_for_a_question_of_its_own(house: House) -> None:
    await plan(house)
    shown = await choose(house, upgrades_to(house))
    assert "Due now" in shown.text
    assert "Visa ····4242" in shown.text
    assert "By confirming, you allow Nous Research to charge your card." in shown.text
    assert shown.submit == ""
    assert shown.questions
    assert house.portal.upgrades == []


@pytest.mark.behavior(58)
@pytest.mark.parametrize(
    ("via", "named"), [("subPin", True), ("customerDefault", True), ("autoRefill", False)]
)
async def test_the_card_is_named_only_where_it_is_sure(house: House, via: str, named: bool) -> None:
    card = house.portal.organizations["acme"].card
    assert card is not None
    object.__setattr__(card, "resolved_via", via)
    await plan(house)
    assert ("4242" in (await choose(house, upgrades_to(house))).text) is named


@pytest.mark.behavior(59)
async def test_an_upgrade_is_made_once_and_told(house: House) -> None:
    await plan(house)
    name = upgrades_to(house)
    await choose(house, name)
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told(f"Upgraded to {name}")
    assert len(house.portal.upgrades) == 1
    assert "Visa" in message["text"]
    (charge,) = await house.charges()
    assert (charge.kind, charge.state) == (ChargeKind.UPGRADE, ChargeState.SETTLED)


@pytest.mark.behavior(59)
@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("declined", "was declined"),
        ("authentication-required", "requires verification"),
    ],
)
async def test_a_payment_that_fails_leads_to_the_recovery_link(
    house: House, scenario: str, words: str
) -> None:
    house.portal.set_scenario("acme", scenario)
    await upgrade(house)
    message = await house.told(words)
    assert "The plan was not changed" in message["text"]
    assert "manage-subscription" in message["text"]
    assert house.portal.upgrades == []


@pytest.mark.behavior(59)
@pytest.mark.parametrize("scenario", ["drop-before-once", "drop-after-once", "server-error-once"])
async def test_an_unclear_answer_to_an_upgrade_is_asked_again_with_the_same_key(
    house: House, scenario: str
) -> None:
    house.portal.set_scenario("acme", scenario)
    await upgrade(house)
    await house.told("Upgraded to")
    assert len(house.portal.upgrades) == 1


@pytest.mark.behavior(59)
@pytest.mark.parametrize("scenario", ["drop-before", "drop-after", "server-error", "non-json"])
async def test_an_upgrade_without_a_clear_answer_may_or_may_not_have_been_charged(
    house: House, scenario: str
) -> None:
    house.portal_clock.speed = 1
    with freeze_time(real_asyncio=True) as frozen:
        house.portal.set_scenario("acme", scenario)
        await upgrade(house)
        await house.told("Upgrading to")
        path = "/api/billing/subscription/upgrade"
        await house.until(lambda: any(each.path == path for each in house.portal.requests))
        frozen.tick(61)
        message = await house.told("may or may not have been charged")
        assert "Check again" in Shown(message).buttons
        assert len(house.portal.upgrades) <= 1


@pytest.mark.behavior(60)
async def test_the_screen_shows_a_scheduled_change_first_and_undoes_it(house: House) -> None:
    subscription = house.portal.organizations["acme"].subscription
    assert subscription is not None
    subscription.tier = "super"
    await plan(house)
    lower = "Plus"
    shown = await choose(house, lower)
    assert "Nothing is charged now" in shown.text
    await house.slack.submit(ADA)
    await house.until(lambda: f"Changes to {lower}" in house.modal().text)
    text = house.modal().text
    assert text.index("Changes to") < text.index("Super plan")
    await house.slack.click_text(ADA, "Keep Super")
    await house.until(lambda: "Changes to" not in house.modal().text and "Super plan" in house.modal().text)
    assert house.portal.charges == []


@pytest.mark.behavior(60)
async def test_cancelling_is_asked_about_and_can_be_undone(house: House) -> None:
    await plan(house)
    await house.slack.click_text(ADA, "Cancel plan")
    await house.until(lambda: house.modal().title == "Cancel Plus?")
    await house.slack.submit(ADA)
    await house.until(lambda: "Plus ends" in house.modal().text)
    await house.slack.click_text(ADA, "Keep Plus")
    await house.until(lambda: "Plus plan" in house.modal().text and "Plus ends" not in house.modal().text)


@pytest.mark.behavior(15)
async def test_a_team_has_no_personal_plan(house: House) -> None:
    assert "A team has no personal plan" in (await plan(house, "theo")).text


@pytest.mark.behavior(60)
async def test_the_free_plan_points_to_the_portal(house: House) -> None:
    shown = await plan(house, "mara")
    assert "free plan" in shown.text
    assert not house.modal().submit


async def test_a_member_can_see_the_plan_and_not_change_it(house: House) -> None:
    shown = await plan(house, "linus", LINUS)
    assert "An owner, admin or finance admin can change the plan" in shown.text
    assert "Cancel plan" not in shown.text


async def test_back_cancels_the_upgrade(house: House) -> None:
    await plan(house)
    await choose(house, upgrades_to(house))
    await house.slack.click_text(ADA, "Back")
    await house.until(lambda: "Plus plan" in house.modal().text)
    assert await house.charges() == []


async def confirmed_upgrade(house: House) -> str:
    """Come as far as the question of an upgrade; return the plan's name."""
    await plan(house)
    name = upgrades_to(house)
    await choose(house, name)
    return name


async def test_an_upgrade_whose_price_has_changed_is_not_charged_and_names_the_new_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await confirmed_upgrade(house)
    dearer = tuple(replace(tier, price=tier.price * 6) if tier.name == name else tier for tier in TIERS)
    monkeypatch.setattr("bot.sandbox.portal.models.TIERS", dearer)
    monkeypatch.setattr("bot.sandbox.portal.subscription.TIERS", dearer)
    await house.slack.click(ADA, "plan_upgrade")
    message = await house.told("This plan now costs $")
    assert "was not charged" in message["text"]
    assert "Show plans" in Shown(message).buttons
    assert house.portal.upgrades == []


async def test_an_upgrade_to_the_plan_that_the_organization_has_by_now_charges_nothing(
    house: House,
) -> None:
    name = await confirmed_upgrade(house)
    subscription = house.portal.organizations["acme"].subscription
    assert subscription is not None
    subscription.tier = next(tier.id for tier in TIERS if tier.name == name)
    await house.slack.click(ADA, "plan_upgrade")
    await house.told("already has this plan")
    (charge,) = await house.charges()
    assert (charge.state, charge.settled_amount) == (ChargeState.REFUSED, None)
    spent = await house.app.runtime.permission._confirmations.spent(
        house.identity().key, charge.account_id, since=charge.created_at - timedelta(hours=1)
    )
    assert spent == 0


async def test_a_second_equal_upgrade_asks_and_names_the_plan(house: House) -> None:
    name = await confirmed_upgrade(house)
    path = "/api/billing/subscription/upgrade"
    house.portal.fail(path, Fault(status=500), times=99, method="POST")
    await house.slack.click(ADA, "plan_upgrade")
    await house.told(f"Upgrading to {name}")
    await house.slack.close(ADA, everything=True)
    await house.slack.command(ADA, "/billing subscription")
    await house.until(lambda: "plan_tier" in house.modal().fields)
    shown = await choose(house, name)
    assert f"You have *an upgrade to {name}* in progress" in shown.text


async def test_the_largest_charge_also_limits_the_monthly_price_of_a_plan(house: House) -> None:
    await house.restart(max_charge=Decimal(60))
    shown = None
    await plan(house)
    shown = await choose(house, upgrades_to(house))
    assert "The largest single charge here is $60" in shown.text
    assert await house.charges() == []


async def test_an_unanswered_upgrade_is_sent_again_although_its_preview_has_aged(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        name = await confirmed_upgrade(house)
        path = "/api/billing/subscription/upgrade"
        house.portal.fail(path, Fault(status=500), times=1, method="POST")
        await house.slack.click(ADA, "plan_upgrade")
        await house.unanswered()
        frozen.tick(15)
        await house.told(f"Upgraded to {name}")
    assert len(house.portal.upgrades) == 1


async def test_an_upgrade_under_way_at_a_kill_is_settled_by_its_follow_up(house: House) -> None:
    with freeze_time(real_asyncio=True) as frozen:
        name = await confirmed_upgrade(house)
        path = "/api/billing/subscription/upgrade"
        house.portal.fail(path, Fault(drop=True, after_work=True), times=1, method="POST")
        await house.slack.click(ADA, "plan_upgrade")
        await house.until(lambda: house.portal.upgrades)
        charge = (await house.charges())[0]
        await house.stop()
        # As a kill leaves the row: nothing is stored of the answer, and the next run counts as the second.
        database = Database(house.settings.database_url, SystemClock())
        async with database.transaction() as transaction:
            left = {
                "state": "confirmed",
                "ambiguous_since": None,
                "attempts": 1,
                "due_at": charge.created_at,
            }
            changed = update(charges).where(charges.c.id == charge.id)
            await transaction.execute(changed.values(**left, ended_at=None, settled_amount=None))
        await database.aclose()
        busy = Fault(status=429, body='{"error": "rate_limited"}')
        house.portal.fail(path, busy, times=1, method="POST")
        await house.start()
        await house.told("may or may not have been charged")
        frozen.tick(181)
        await house.told(f"Upgraded to {name}")
