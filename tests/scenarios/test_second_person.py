"""Somebody else in Slack is connected to a person's own portal account: who is told, and who can end it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import text, update

from bot.storage.tables import links
from tests.support.house import ADA, GRACE, House
from tests.support.shown import Shown
from tests.support.steps import ask, money_requests, shown_in_modal


async def approve(house: House, user: str, person: str) -> None:
    """Connect by the link, as a person does."""
    await ask(house, "/billing connect", user)
    await house.until(lambda: house.answer(user).code)
    house.portal.approve(house.answer(user).code, person)


async def test_the_link_names_who_will_spend_and_says_to_approve_only_ones_own(house: House) -> None:
    await ask(house, "/billing connect")
    await house.until(lambda: house.answer().code)
    assert f"lets <@{ADA}> see their balance and spend" in house.answer().text
    assert "Approve only what you started yourself" in house.answer().text


async def test_whoever_is_connected_to_an_account_is_told_of_a_second_person_and_can_end_it(
    house: House,
) -> None:
    await house.link(ADA, "ada")
    await approve(house, GRACE, "ada")
    warning = await house.told("has connected your portal account")
    assert f"<@{GRACE}>" in warning["text"]
    assert "I don't know this person" in Shown(warning).buttons
    await house.slack.click_text(ADA, "I don't know this person")
    await house.until(lambda: "Their connection has ended" in house.last_ephemeral()["text"])
    assert await house.app.runtime.links.get(house.identity(GRACE)) is None
    assert await house.app.runtime.links.get(house.identity(ADA)) is not None
    await house.told("The other connection to your portal account")
    assert "Connect" in await ask(house, "/billing", GRACE)


async def test_nobody_ends_the_connection_of_another_account(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "grace")
    theirs = await house.app.runtime.links.get(house.identity(GRACE))
    assert theirs is not None
    assert not await house.app.runtime.second_person.cut(house.identity(ADA), theirs.grant_id)
    assert await house.app.runtime.links.get(house.identity(GRACE)) is not None


async def test_the_same_address_is_the_same_account(house: House) -> None:
    await house.link(ADA, "ada")
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(
            text("UPDATE links SET account_id = 'did:former', email = 'ADA@acme.EXAMPLE'")
        )
    await approve(house, GRACE, "ada")
    await house.told("has connected your portal account")


async def test_a_second_person_may_be_refused_altogether(house: House) -> None:
    await house.restart(one_person_per_account=True)
    await house.link(ADA, "ada")
    await approve(house, GRACE, "ada")
    await house.until(lambda: "allows one person for each account" in house.answer(GRACE).text)
    assert await house.app.runtime.links.get(house.identity(GRACE)) is None


async def test_only_allowed_organizations_can_be_connected(house: House) -> None:
    await house.restart(allowed_organizations=("org_other",))
    await approve(house, ADA, "ada")
    await house.until(lambda: "has not allowed the organization" in house.answer().text)
    assert await house.app.runtime.links.get(house.identity()) is None


async def test_two_slack_people_with_one_portal_account_share_the_day(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(100))
    await house.link(ADA, "ada")
    await house.link(GRACE, "ada")
    await house.buy("60", ADA)
    await house.told("$60 added to your balance", ADA)
    await house.slack.command(GRACE, "/billing buy 60")
    await shown_in_modal(house, "The largest amount is $40", GRACE)
    assert money_requests(house) == 1


async def test_an_equal_purchase_of_somebody_with_the_same_portal_account_asks_buy_again(
    house: House,
) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "ada")
    await house.buy("10.06", ADA)
    await house.submitted()
    await house.slack.command(GRACE, "/billing buy 10.06")
    await shown_in_modal(house, "A purchase of $10.06 with your portal account", GRACE)


async def test_a_connection_that_has_ended_by_its_age_keeps_nobody_out(house: House) -> None:
    await house.restart(one_person_per_account=True)
    await house.link(ADA, "ada")
    async with house.app.runtime.database.transaction() as transaction:
        long_ago = house.app.runtime.clock.now() - timedelta(days=31)
        await transaction.execute(update(links).values(linked_at=long_ago))
    await approve(house, GRACE, "ada")
    await house.until_async(lambda: _is_linked(house, GRACE))
    assert house.dm(ADA) == []


async def _is_linked(house: House, user: str) -> bool:
    return await house.app.runtime.links.get(house.identity(user)) is not None


async def test_of_two_who_connect_one_account_at_once_the_second_is_seen(house: House) -> None:
    await house.restart(one_person_per_account=True)
    for user in (ADA, GRACE):
        await ask(house, "/billing connect", user)
    await house.until(lambda: all(house.answer(user).code for user in (ADA, GRACE)))
    for user in (ADA, GRACE):
        house.portal.approve(house.answer(user).code, "ada")
    await house.until(lambda: any("allows one person" in house.answer(user).text for user in (ADA, GRACE)))
    linked = [user for user in (ADA, GRACE) if await _is_linked(house, user)]
    assert len(linked) == 1
