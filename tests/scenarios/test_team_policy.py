"""`/billing team`: who may set the policy, tightening at once, and loosening by a second person."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from sqlalchemy import delete, update

from bot.domain.policy import Policy
from bot.services.routing import key_of
from bot.storage.tables import requests
from bot.storage.team_tables import policies
from tests.support.asking import (
    HeldButton,
    ask,
    asked,
    card,
    connected,
    has_card,
    pay,
    review,
    set_policy,
    the_request,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed
from tests.support.steps import modal, money_requests, shown_in_modal

if TYPE_CHECKING:
    from tests.support.house import House

OMAR = "U0OMAR"


async def in_force(house: House, user: str = ADA) -> Policy:
    link = await house.app.runtime.accounts.link(house.identity(user))
    return await house.app.runtime.policies.newest(key_of(house.identity(user), link))


async def form(house: House, user: str = ADA) -> None:
    """Open the form."""
    await house.slack.command(user, "/billing team")
    await house.until(lambda: house.modal(user).submit == "Save")


async def save(house: House, words: str, user: str = ADA) -> None:
    """Save the form, until the modal says these words."""
    await house.slack.submit(user)
    await shown_in_modal(house, words, user)


async def test_an_admin_sets_a_policy_and_everybody_who_may_pay_is_told(house: House) -> None:
    await connected(house)
    await form(house)
    await house.slack.select(ADA, "team_people", [ADA, GRACE])
    await house.slack.type(ADA, "team_two", "500")
    await house.slack.type(ADA, "team_most", "$1,000")
    await house.slack.type(ADA, "team_life", "2d")
    await save(house, "Saved.")
    assert "Only 2 people" in house.modal(ADA).text
    set_now = await in_force(house)
    assert (set_now.version, set_now.approvers) == (1, (ADA, GRACE))
    assert (set_now.two_people_from, set_now.request_max) == (Decimal(500), Decimal(1000))
    assert (set_now.life_hours, set_now.zone) == (48, "Europe/London")
    for user in (ADA, GRACE):
        told = await house.told("has changed how requests are decided at Acme Research", user)
        assert "Two people from*: off → $500" in told["text"]
    assert "has changed how" not in str(house.dm(LINUS))


async def test_a_member_reads_the_policy_and_cannot_change_it(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(500))
    shown = await modal(house, "/billing team", "Two people from", LINUS)
    assert shown.submit == ""
    assert "$500" in shown.text
    assert shown.fields == {}


@pytest.mark.parametrize(
    ("field", "words", "problem"),
    [
        ("team_two", "lots", "An amount in dollars"),
        ("team_most", "-5", "An amount in dollars"),
        ("team_life", "soon", "A time such as"),
        ("team_life", "0d", "A time such as"),
        ("team_hours", "9 to 5", "Hours such as"),
    ],
)
async def test_what_cannot_be_read_is_said_beside_its_field(
    house: House, field: str, words: str, problem: str
) -> None:
    await house.link()
    await form(house)
    await house.slack.type(ADA, field, words)
    answer = await house.slack.submit(ADA)
    assert problem in str(answer.response)


async def test_two_people_need_two_who_may_pay(house: House) -> None:
    await house.link()
    await form(house)
    await house.slack.type(ADA, "team_two", "500")
    await save(house, "Fewer than two people")
    assert house.modal(ADA).fields["team_two"].initial == "$500"
    assert (await in_force(house)).version == 0


async def test_a_policy_that_another_has_changed_meanwhile_is_shown_as_it_is_now(house: House) -> None:
    await connected(house)
    await form(house)
    await set_policy(house, user=GRACE, request_max=Decimal(200))
    await house.slack.type(ADA, "team_most", "300")
    await save(house, "Somebody else has changed it")
    assert house.modal(ADA).fields["team_most"].initial == "$200"


async def test_stricter_holds_at_once_for_open_requests_too(house: House) -> None:
    await asked(house)
    before = await the_request(house)
    await set_policy(house, two_people_from=Decimal(50), life_hours=1)
    await house.until(lambda: "Two people decide" in card(house, GRACE).text)
    after = await the_request(house)
    assert after.needed == 2
    assert (after.expires_at - after.asked_at).total_seconds() == 3600
    assert after.expires_at < before.expires_at


async def test_looser_waits_for_a_second_person_and_then_holds_for_new_requests_alone(
    house: House,
) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await ask(house)
    await form(house)
    await house.slack.type(ADA, "team_two", "")
    await save(house, "One more person has to agree")
    assert (await in_force(house)).two_people_from == Decimal(50)
    await house.told("waits for a second person", ADA)
    await house.told("wants to change how requests are decided", GRACE)
    await house.slack.click_text(GRACE, "Agree", in_="message")
    await house.until(lambda: "<@U0GRACE> agreed" in str(house.dm(ADA)))
    assert (await in_force(house)).two_people_from is None
    await review(house, GRACE, "You don't pay")
    await house.slack.close(GRACE, everything=True)
    await ask(house, "60")
    await has_card(house, GRACE, "60")
    await pay(house, GRACE)
    await house.told("$60 added for you", LINUS)


async def test_whoever_proposed_it_cannot_agree_and_can_take_it_back(house: House) -> None:
    await connected(house)
    await set_policy(house, request_max=Decimal(50))
    await form(house)
    await house.slack.type(ADA, "team_most", "500")
    await save(house, "One more person has to agree")
    await house.told("wants to change", GRACE)
    await house.click_in(house.dm(GRACE)[-1], "Agree", ADA)
    button = HeldButton(house, GRACE, "Agree")
    await house.until(lambda: "You proposed this yourself" in house.last_ephemeral(ADA)["text"])
    await house.slack.click_text(ADA, "Take it back", in_="message")
    await house.told("has taken this back", GRACE)
    await button.click()
    await house.until(lambda: "does not wait any more" in house.last_ephemeral(GRACE)["text"])
    assert (await in_force(house)).request_max == Decimal(50)


async def test_without_a_second_person_a_change_ends_after_a_day(house: House) -> None:
    await connected(house)
    await set_policy(house, request_max=Decimal(50))
    await form(house)
    await house.slack.type(ADA, "team_most", "500")
    await save(house, "One more person has to agree")
    await house.told("wants to change", GRACE)
    button = HeldButton(house, GRACE, "Agree")
    with freeze_time(house.app.runtime.clock.now(), real_asyncio=True) as frozen:
        frozen.tick(86_401)
        house.app.engine.wake("delivery")
        await house.told("Ended without a second person", GRACE)
        await button.click()
        await house.until(lambda: "does not wait any more" in house.last_ephemeral(GRACE)["text"])
    assert (await in_force(house)).request_max == Decimal(50)


async def test_alone_an_admin_loosens_at_once(house: House) -> None:
    await house.link()
    await set_policy(house, request_max=Decimal(50))
    await form(house)
    await house.slack.type(ADA, "team_most", "")
    await save(house, "Saved.")
    assert (await in_force(house)).request_max is None


async def test_more_than_the_policy_allows_cannot_be_asked_for(house: House) -> None:
    await connected(house)
    await set_policy(house, request_max=Decimal(40))
    await modal(house, "/billing request 50 evals", "your organization lets nobody ask for more", LINUS)


async def test_only_those_on_the_list_are_asked_and_decide(house: House) -> None:
    await connected(house)
    await house.link(OMAR, "frida")
    await set_policy(house, approvers=(GRACE,))
    await ask(house)
    await has_card(house, GRACE)
    assert not card(house, ADA).text
    request = await the_request(house)
    assert "only certain people decide" in await _said(house, f"/billing review {request.id}", ADA)


async def _said(house: House, command: str, user: str) -> str:
    await house.slack.command(user, command)
    await house.until(lambda: "Loading" not in house.modal(user).text and house.modal(user).text)
    await house.until(lambda: house.modal(user).title == "Request")
    return house.modal(user).text


async def test_who_may_decide_and_is_not_told_still_pays(house: House) -> None:
    await connected(house)
    await set_policy(house, quiet_approvers=(ADA,))
    await ask(house)
    await has_card(house, GRACE)
    assert not card(house, ADA).text
    assert "asks for *$50*" in await typed(house, "/billing requests", ADA)


async def test_who_is_named_and_not_connected_connects_to_decide(house: House) -> None:
    await house.link(ADA, "ada")
    await house.link(LINUS, "linus")
    await set_policy(house, approvers=(ADA, GRACE))
    await ask(house)
    await has_card(house, GRACE)
    assert card(house, GRACE).buttons == ["Connect to decide"]
    await house.link(GRACE, "grace")
    await review(house, GRACE, "Total") if "Review" in card(house, GRACE).buttons else None
    await house.slack.click_text(GRACE, "Connect to decide", in_="message")
    await shown_in_modal(house, "Total", GRACE)
    await house.until(lambda: card(house, GRACE).buttons == ["Review", "Deny"])


async def test_members_of_a_channel_decide_and_others_do_not(house: House) -> None:
    await connected(house)
    await house.link(OMAR, "frida")
    await set_policy(house, approver_channel="C0SPEND")
    await ask(house)
    await has_card(house, ADA)
    assert not card(house, OMAR).text
    request = await the_request(house)
    assert "members of <#C0SPEND>" in await _said(house, f"/billing review {request.id}", OMAR)
    await pay(house, GRACE)
    await house.until(lambda: "paid by <@U0GRACE>" in card(house, ADA).text)


async def test_a_user_group_decides(house: House) -> None:
    await connected(house)
    await set_policy(house, approver_group="S0FINANCE")
    await ask(house)
    await has_card(house, GRACE)
    assert not card(house, ADA).text


async def test_policy_users_are_the_only_ones_who_set_it(house: House) -> None:
    await house.restart(policy_users=(GRACE,))
    await connected(house)
    shown = await modal(house, "/billing team", "How requests are decided", ADA)
    assert shown.submit == ""
    await form(house, GRACE)


@pytest.mark.parametrize("how", ["deleted", "changed"])
async def test_a_policy_that_is_not_as_this_app_wrote_it_lets_nobody_pay(house: House, how: str) -> None:
    await connected(house)
    await set_policy(house, approvers=(ADA,))
    await ask(house)
    await has_card(house, ADA)
    tampering = delete(policies) if how == "deleted" else update(policies).values(facts=Policy().to_text())
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(tampering)
    await review(house, ADA, "only certain people decide")
    await house.slack.command(ADA, "/billing buy 50")
    await shown_in_modal(house, "two people", ADA)
    assert money_requests(house) == 0


@pytest.mark.parametrize("code", ["user_not_found", "ratelimited", "internal_error"])
async def test_a_second_admin_of_whom_slack_says_nothing_is_asked_all_the_same(
    house: House, code: str
) -> None:
    await connected(house)
    await set_policy(house, request_max=Decimal(50))
    await form(house)
    await house.slack.type(ADA, "team_most", "500")
    house.app.runtime.members._known.pop(house.identity(GRACE).key, None)
    house.slack.faults.add("users.info", "error", code, times=9)
    await save(house, "One more person has to agree")
    assert (await in_force(house)).request_max == Decimal(50)


async def test_a_user_group_stays_when_slack_names_none(house: House) -> None:
    await connected(house)
    await set_policy(house, approver_group="S0FINANCE")
    house.slack.faults.add("usergroups.list", "error", "ratelimited", times=9)
    await form(house)
    await house.slack.type(ADA, "team_hours", "8-17")
    await save(house, "Saved.")
    now = await in_force(house)
    assert (now.hours, now.approver_group) == ("8-17 Mon-Fri", "S0FINANCE")


async def test_many_names_are_shortened_and_told(house: House) -> None:
    await connected(house)
    many = tuple(f"U0MANY{number:03}" for number in range(200))
    await set_policy(house, quiet_approvers=many, request_max=Decimal(50))
    told = await house.told("has changed how requests are decided", GRACE)
    assert "and 192 others" in told["text"]
    await modal(house, "/billing team", "and 192 others", LINUS)


async def test_a_request_of_a_later_policy_than_any_follows_the_newest(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await ask(house)
    await has_card(house, ADA)
    async with house.app.runtime.database.transaction() as transaction:
        await transaction.execute(update(requests).values(policy_version=9, needed=1))
    await review(house, ADA, "You don't pay")
