"""Two people in Slack with one portal account: who is asked, who waits, and who can end it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from freezegun import freeze_time
from sqlalchemy import text, update

from bot.sandbox.slack import app_of
from bot.storage.tables import links
from handlers.manifest import make_manifest
from tests.support.house import ADA, DIRECTORY, GRACE, LINUS, House, make_slack, open_house
from tests.support.steps import ask, disconnect, money_requests, shown_in_modal

if TYPE_CHECKING:
    from pathlib import Path

    from bot.storage.links import Link

UNKNOWN = "I don't know this person"
WAITS = "you are not connected yet"


async def approve(house: House, user: str, person: str) -> None:
    """Connect by the link, as a person does."""
    await ask(house, "/billing connect", user)
    await house.until(lambda: house.answer(user).code)
    house.portal.approve(house.answer(user).code, person)


async def second(house: House) -> None:
    """Ada is connected to her account, and Grace has had it approved too."""
    await house.link(ADA, "ada")
    await approve(house, GRACE, "ada")
    await house.told("wants to use your portal account")
    await house.until(lambda: WAITS in house.answer(GRACE).text)


async def link_of(house: House, user: str) -> Link | None:
    return await house.app.runtime.links.get(house.identity(user))


async def test_the_link_names_who_will_spend_and_says_to_approve_only_ones_own(house: House) -> None:
    await ask(house, "/billing connect")
    await house.until(lambda: house.answer().code)
    assert (
        "lets Ada Lovelace (Acme Research) see the balance of your portal account and spend"
        in house.answer().text
    )
    assert "Approve only what you started yourself" in house.answer().text


async def test_a_second_person_waits_sees_nothing_and_spends_nothing(house: House) -> None:
    await second(house)
    assert "Ada Lovelace (Acme Research)" in house.answer(GRACE).text
    for command in ("/billing", "/billing usage"):
        assert "has to let you in" in await ask(house, command, GRACE)
    await house.slack.command(GRACE, "/billing buy 50")
    await shown_in_modal(house, "has to let you in", GRACE)
    assert money_requests(house) == 0


async def test_let_in_by_the_first_a_second_person_can_buy_and_is_told(house: House) -> None:
    await second(house)
    warning = await house.told("wants to use your portal account")
    assert "Grace Hopper (Acme Research)" in warning["text"]
    await house.slack.click_text(ADA, "Let them in")
    await house.told("let you in", GRACE)
    await house.told("uses your portal account ada@acme.example too")
    await house.buy("50", GRACE)
    await house.told("$50 added to your balance", GRACE)


async def test_a_person_who_was_let_in_once_connects_again_without_a_question(house: House) -> None:
    await second(house)
    await house.slack.click_text(ADA, "Let them in")
    await house.told("let you in", GRACE)
    await disconnect(house, GRACE)
    await house.connect(GRACE, "ada")
    await disconnect(house, ADA)
    await house.connect(ADA, "ada")


async def test_a_second_person_whom_the_first_does_not_know_is_cut_and_told(house: House) -> None:
    await second(house)
    await house.slack.click_text(ADA, UNKNOWN)
    await house.until(lambda: "Their connection has ended" in house.last_ephemeral()["text"])
    assert await link_of(house, GRACE) is None
    assert await link_of(house, ADA) is not None
    await house.told("The other connection to your portal account has ended")
    await house.told("Your connection to Nous Portal has ended", GRACE)
    assert "Connect" in await ask(house, "/billing", GRACE)


async def test_who_is_let_in_can_be_cut_later_and_is_asked_about_again(house: House) -> None:
    await second(house)
    await house.slack.click_text(ADA, "Let them in")
    await house.told("too*")
    await house.slack.click_text(ADA, UNKNOWN)
    await house.told("The other connection to your portal account has ended")
    await approve(house, GRACE, "ada")
    await house.until(lambda: WAITS in house.answer(GRACE).text)


async def test_an_owner_who_comes_second_ends_the_connection_of_whom_they_do_not_know(
    house: House,
) -> None:
    await second(house)  # Ada was first, with the account of Grace's that she had her approve
    await house.slack.click_text(GRACE, UNKNOWN)
    await house.until(lambda: "Both connections have ended" in house.last_ephemeral(GRACE)["text"])
    assert "End all sessions in the portal" in house.last_ephemeral(GRACE)["text"]
    assert await link_of(house, ADA) is None
    assert await link_of(house, GRACE) is None
    await house.told("Your connection to Nous Portal has ended", ADA)


async def test_without_an_answer_a_second_persons_connection_ends_after_a_day(house: House) -> None:
    await second(house)
    with freeze_time(real_asyncio=True) as frozen:
        frozen.tick(timedelta(hours=23))
        await house.app.runtime.second_person.end_unanswered()
        assert await link_of(house, GRACE) is not None
        frozen.tick(timedelta(hours=2))
        await house.app.runtime.second_person.end_unanswered()
        assert await link_of(house, GRACE) is None
    await house.told("no one let you in within a day", GRACE)
    await house.told("The other connection to your portal account has ended")


async def test_a_second_person_can_disconnect_while_waiting(house: House) -> None:
    await second(house)
    await disconnect(house, GRACE)


async def test_typing_connect_while_waiting_shows_who_can_let_one_in(house: House) -> None:
    await second(house)
    assert "Ada Lovelace" in await ask(house, "/billing connect", GRACE)
    await ask(house, "/billing", GRACE)
    await house.slack.click_text(GRACE, "Show who")
    await house.until(lambda: "Ada Lovelace" in house.last_ephemeral(GRACE)["text"])


async def test_what_was_sent_before_is_followed_while_its_person_waits(house: House) -> None:
    await house.link(GRACE, "ada")
    await house.buy("50", GRACE)
    await house.submitted()
    await wait_from_now_on(house, GRACE)
    await house.told("$50 added to your balance", GRACE)


async def test_what_was_offered_before_is_not_bought_while_its_person_waits(house: House) -> None:
    await house.link(GRACE, "ada")
    await house.slack.command(GRACE, "/billing buy 50")
    await shown_in_modal(house, "Pay $50 now", GRACE)
    await wait_from_now_on(house, GRACE)
    await house.slack.submit(GRACE)
    await shown_in_modal(house, "has to let you in", GRACE)
    assert money_requests(house) == 0


async def wait_from_now_on(house: House, user: str) -> None:
    """Have a connected person wait, as the second of a pair does since the upgrade."""
    now = house.app.runtime.clock.now()
    async with house.app.runtime.database.transaction() as transaction:
        waits = update(links).where(links.c.owner == house.identity(user).key)
        await transaction.execute(waits.values(waits_since=now))


async def test_a_new_first_person_is_asked_about_those_who_wait(house: House) -> None:
    await second(house)
    await disconnect(house, ADA)
    await house.connect(LINUS, "ada")
    await house.told("wants to use your portal account", LINUS)
    await house.slack.click_text(LINUS, "Let them in")
    await house.told("let you in", GRACE)


async def test_nobody_ends_the_connection_of_another_account(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "grace")
    theirs = await link_of(house, GRACE)
    assert theirs is not None
    assert not await house.app.runtime.second_person.cut(house.identity(ADA), theirs.grant_id)
    assert not await house.app.runtime.second_person.let_in(house.identity(ADA), theirs.grant_id)
    assert await link_of(house, GRACE) is not None


async def test_the_same_address_is_the_same_account(house: House) -> None:
    await house.link(ADA, "ada")
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(
            text("UPDATE links SET account_id = 'did:former', email = 'ADA@acme.EXAMPLE'")
        )
    await approve(house, GRACE, "ada")
    await house.told("wants to use your portal account")


async def test_a_second_person_may_be_refused_altogether(house: House) -> None:
    await house.restart(one_person_per_account=True)
    await house.link(ADA, "ada")
    await approve(house, GRACE, "ada")
    await house.until(lambda: "allows one person per account" in house.answer(GRACE).text)
    assert await link_of(house, GRACE) is None
    assert house.dm(ADA) == []


async def test_only_allowed_organizations_can_be_connected(house: House) -> None:
    await house.restart(allowed_organizations=("org_other",))
    await approve(house, ADA, "ada")
    await house.until(lambda: "organization is not allowed here" in house.answer().text)
    assert await link_of(house, ADA) is None


async def test_only_an_account_with_the_address_of_the_slack_profile_can_be_connected(
    tmp_path: Path,
) -> None:
    app = app_of(make_manifest("https://bot.example.com", match_email=True))
    slack = make_slack(replace(DIRECTORY, app=app))
    async with open_house(tmp_path, slack=slack, match_email=True) as house:
        await house.connect(ADA, "ada")
        await approve(house, GRACE, "ada")
        await house.until(lambda: "differ, and your app manager" in house.answer(GRACE).text)
        assert await link_of(house, GRACE) is None


async def test_without_the_scope_to_read_addresses_none_matches(house: House) -> None:
    await house.restart(match_email=True)
    await approve(house, ADA, "ada")
    await house.until(lambda: "differ, and your app manager" in house.answer().text)


async def test_two_slack_people_with_one_portal_account_share_the_day(house: House) -> None:
    await house.restart(max_charge_per_day=Decimal(100))
    await house.link(ADA, "ada")
    await house.link(GRACE, "ada")
    await house.buy("60", ADA)
    await house.told("$60 added to your balance", ADA)
    await house.slack.command(GRACE, "/billing buy 60")
    await shown_in_modal(house, "The largest amount is $40", GRACE)
    assert money_requests(house) == 1


async def test_an_equal_purchase_of_somebody_with_the_same_portal_account_is_a_possible_duplicate(
    house: House,
) -> None:
    await house.link(ADA, "ada")
    await house.link(GRACE, "ada")
    await house.buy("10.06", ADA)
    await house.submitted()
    await house.slack.command(GRACE, "/billing buy 10.06")
    await shown_in_modal(house, "Another person with your portal account has *a $10.06", GRACE)


async def test_a_connection_that_has_ended_by_its_age_keeps_nobody_out(house: House) -> None:
    await house.restart(one_person_per_account=True)
    await house.link(ADA, "ada")
    async with house.app.runtime.database.transaction() as transaction:
        long_ago = house.app.runtime.clock.now() - timedelta(days=31)
        await transaction.execute(update(links).values(linked_at=long_ago))
    await approve(house, GRACE, "ada")
    await house.until(lambda: "*Connected*" in house.answer(GRACE).text)
    assert house.dm(ADA) == []


async def test_of_two_who_connect_one_account_at_once_the_second_is_seen(house: House) -> None:
    await house.restart(one_person_per_account=True)
    for user in (ADA, GRACE):
        await ask(house, "/billing connect", user)
    await house.until(lambda: all(house.answer(user).code for user in (ADA, GRACE)))
    for user in (ADA, GRACE):
        house.portal.approve(house.answer(user).code, "ada")
    await house.until(lambda: any("allows one person" in house.answer(user).text for user in (ADA, GRACE)))
    linked = [user for user in (ADA, GRACE) if await link_of(house, user)]
    assert len(linked) == 1
