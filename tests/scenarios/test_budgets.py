"""Monthly budgets: set by who may, counted when somebody says yes, and never passed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from freezegun import freeze_time

from bot.domain.budget import Budget, Mode, Whose
from bot.domain.errors import BillingError
from bot.domain.next_step import Confirm
from bot.services.routing import key_of
from tests.support.asking import (
    agree,
    ask,
    asked,
    card,
    connected,
    has_card,
    pay,
    review,
    set_budgets,
    set_policy,
    the_request,
)
from tests.support.house import ADA, GRACE, LINUS
from tests.support.steps import ask as typed
from tests.support.steps import modal, money_requests, shown_in_modal

if TYPE_CHECKING:
    from bot.domain.budget import BudgetUse
    from tests.support.house import House

LAB = "C0GENERAL"


def of_linus(amount: int, mode: Mode = Mode.ASK) -> Budget:
    return Budget(whose=Whose.PERSON, subject=LINUS, amount=Decimal(amount), mode=mode, set_by=ADA)


def of_all(amount: int, mode: Mode = Mode.ASK) -> Budget:
    return Budget(whose=Whose.ALL, amount=Decimal(amount), mode=mode, set_by=ADA)


async def uses(house: House) -> tuple[BudgetUse, ...]:
    link = await house.app.runtime.accounts.link(house.identity(ADA))
    return await house.app.runtime.deciding.line.uses_of(key_of(house.identity(ADA), link))


async def paid(house: House, amount: str = "50") -> None:
    """Linus asks, Ada pays, and the card says so."""
    await ask(house, amount)
    await house.until(lambda: f"asks for ${amount}" in card(house, ADA).text)
    await pay(house)
    await house.until(lambda: f"${amount} added for you" in card(house, LINUS).text)
    await house.slack.close(ADA, everything=True)


async def test_an_admin_sets_a_budget_and_everybody_who_may_pay_is_told(house: House) -> None:
    await connected(house)
    said = await typed(house, f"/billing team budget <@{LINUS}|linus> $200")
    assert "Budget of $200 a month for <@U0LINUS>" in said
    assert "*$200 of $200* is left for <@U0LINUS> in" in said
    told = await house.told("has changed how requests are decided at Acme Research", GRACE)
    assert "Budgets*: none → $200 a month for <@U0LINUS>" in told["text"]
    shown = await modal(house, "/billing team", "*Budgets*")
    assert "*$200 of $200* is left for <@U0LINUS>" in shown.text


async def test_a_member_sets_none_and_sees_their_own(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_linus(200), of_all(900))
    assert "$" not in await typed(house, "/billing team budget all 5000", LINUS)
    shown = await modal(house, "/billing team", "left for <@U0LINUS>", LINUS)
    assert "$900" not in shown.text
    assert "*$200 of $200* is left for <@U0LINUS>" in await typed(house, "/billing", LINUS)


async def test_more_than_before_needs_a_second_admin_and_less_holds_at_once(house: House) -> None:
    await connected(house)
    await typed(house, "/billing team budget all 500")
    assert "when one more person agrees" in await typed(house, "/billing team budget all 600")
    assert "It lets more happen than before" in await typed(house, "/billing team budget all off")
    assert "Budget of $400 a month for all" in await typed(house, "/billing team budget all 400")
    assert [each.budget.amount for each in await uses(house)] == [Decimal(400)]


async def test_what_is_no_budget_is_said_with_how_one_is_typed(house: House) -> None:
    await connected(house)
    for words in ("budget", "budget linus 5", "budget all lots", "somebody else"):
        said = await typed(house, f"/billing team {words}")
        assert "`/billing team budget @somebody $200`" in said


async def test_a_request_over_the_budget_needs_two_people(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_linus(60))
    await paid(house)
    await ask(house, "20")
    await house.until(lambda: "asks for $20" in card(house, ADA).text)
    assert "Two people decide" in card(house, ADA).text
    await review(house, ADA, "You don't pay")
    assert "*$10 of $60* is left for <@U0LINUS>" in house.modal(ADA).text
    assert "this goes over it" in house.modal(ADA).text
    await house.slack.submit(ADA)
    await shown_in_modal(house, "1 of 2", ADA)
    await pay(house, GRACE)
    await house.until(lambda: "$20 added for you" in card(house, LINUS).text)
    assert money_requests(house) == 2


async def test_r21_the_budget_fills_up_between_the_look_and_the_yes(house: House) -> None:
    await asked(house)
    await set_budgets(house, of_all(60))
    await review(house, ADA, "Total")
    await house.buy("20", GRACE)
    await house.told("$20 added to your balance", GRACE)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "a second person is needed now", ADA)
    assert "budget of $60 has only $40 left" in house.modal(ADA).text
    assert money_requests(house) == 1
    await house.slack.click_text(ADA, "Look again", in_="view")
    await shown_in_modal(house, "You don't pay", ADA)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "1 of 2", ADA)
    await pay(house, GRACE)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)


async def test_r21_a_budget_that_blocks_lets_nobody_pay(house: House) -> None:
    await asked(house)
    await set_budgets(house, of_all(60, Mode.BLOCK))
    await review(house, ADA, "Total")
    await house.buy("20", GRACE)
    await house.told("$20 added to your balance", GRACE)
    await house.slack.submit(ADA)
    await shown_in_modal(house, "A policy admin can raise it", ADA)
    assert "Nothing was charged" in house.modal(ADA).text
    assert money_requests(house) == 1


async def test_more_than_a_budget_that_blocks_is_not_asked_for_and_not_bought(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_all(60, Mode.BLOCK))
    await house.slack.command(LINUS, "/billing request 80 x")
    await house.until(lambda: house.modal(LINUS).submit.startswith("Ask"))
    await house.slack.submit(LINUS)
    await shown_in_modal(house, "budget of $60 has $60 left. A policy admin can raise it", LINUS)
    shown = await modal(house, "/billing buy 80", "A policy admin can raise it")
    assert "budget of $60 has $60 left" in shown.text


async def test_a_purchase_over_a_budget_is_asked_for_instead(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_all(60))
    shown = await modal(house, "/billing buy 80", "you count as one")
    assert "budget of $60 has $60 left" in shown.text
    await house.slack.click_text(ADA, "Ask for $80", in_="view")
    await house.until(lambda: house.modal(ADA).submit == "Ask for $80")


async def test_six_confirmations_at_once_never_pass_a_budget(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_all(100))
    purchases = house.app.runtime.purchases
    proposed = []
    for place, amount in enumerate(("31", "32", "33", "34", "35", "36")):
        who = house.identity((ADA, GRACE)[place % 2])
        step = await purchases.next_step(who, Decimal(amount))
        assert isinstance(step, Confirm)
        proposed.append(purchases.confirm(who, step.proposal.charge.id, view_id=None))
    done = await asyncio.gather(*proposed, return_exceptions=True)
    confirmed = [each for each in done if not isinstance(each, BaseException)]
    assert sum(each.amount for each in confirmed) <= 100
    assert len(confirmed) in {2, 3}
    assert all(isinstance(each, BillingError) for each in done if isinstance(each, BaseException))
    (use,) = await uses(house)
    assert use.counted <= 100


async def test_what_was_not_charged_is_given_back(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_all(60))
    await house.buy("10.01", ADA)
    await house.told("declined", ADA)
    (use,) = await uses(house)
    assert use.counted == 0


async def test_people_are_told_at_eighty_and_at_a_hundred_percent_once(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_linus(60))
    await paid(house, "50")
    await house.until(lambda: "80 % of" in str(house.dm(LINUS)))
    said = next(each["text"] for each in house.dm(LINUS) if "80 % of" in each["text"])
    assert "budget of $60 for <@U0LINUS> is used*: $50 of $60." in said
    await house.until(lambda: "80 % of" in str(house.dm(ADA)))
    assert "80 % of" not in str(house.dm(GRACE))
    await paid(house, "10")
    await house.until(lambda: "is used up" in str(house.dm(LINUS)))
    assert len([each for each in house.dm(LINUS) if "80 % of" in each["text"]]) == 1


async def test_less_than_was_used_is_told_at_once(house: House) -> None:
    await connected(house)
    await paid(house, "50")
    await typed(house, f"/billing team budget <@{LINUS}|linus> 40")
    await house.until(lambda: "is used up" in str(house.dm(LINUS)))


async def test_the_next_month_begins_anew(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_linus(60))
    await paid(house, "50")
    assert [each.counted for each in await uses(house)] == [Decimal(50)]
    with freeze_time(house.app.runtime.clock.wall() + timedelta(days=32), real_asyncio=True):
        assert [each.counted for each in await uses(house)] == [Decimal(0)]


async def test_a_channels_budget_counts_what_is_wanted_there(house: House) -> None:
    await connected(house)
    budget = Budget(whose=Whose.CHANNEL, subject=LAB, amount=Decimal(70), set_by=ADA)
    await set_budgets(house, budget)
    await house.slack.command(LINUS, "/billing request 50 for the lab", LAB)
    await house.until(lambda: house.modal(LINUS).submit.startswith("Ask"))
    await house.slack.submit(LINUS)
    await has_card(house, ADA)
    assert (await the_request(house)).channel == LAB
    await pay(house)
    await house.told("$50 added for you", LINUS)
    assert [each.counted for each in await uses(house)] == [Decimal(50)]
    await house.slack.command(GRACE, "/billing buy 30", LAB)
    await shown_in_modal(house, f"budget of $70 for <#{LAB}> has $20 left", GRACE)
    await house.slack.close(GRACE, everything=True)
    await house.slack.command(GRACE, "/billing buy 30", house.slack.dm(GRACE))
    await house.confirm_shown(GRACE)
    await house.slack.submit(GRACE)
    await house.told("$30 added to your balance", GRACE)
    assert [each.counted for each in await uses(house)] == [Decimal(50)]


async def test_the_form_asks_for_which_channel_where_one_has_a_budget(house: House) -> None:
    await connected(house)
    budget = Budget(whose=Whose.CHANNEL, subject=LAB, amount=Decimal(70), set_by=ADA)
    await set_budgets(house, budget)
    await house.slack.command(LINUS, "/billing request 50 x", house.slack.dm(LINUS))
    await house.until(lambda: house.modal(LINUS).submit.startswith("Ask"))
    await house.slack.select(LINUS, "ask_team", [LAB])
    await house.slack.submit(LINUS)
    await has_card(house, ADA)
    assert (await the_request(house)).channel == LAB


async def test_without_requests_nothing_is_counted(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_all(60, Mode.BLOCK))
    await house.restart(team_spending=False)
    await house.buy("80")
    await house.told("$80 added to your balance")


async def test_an_export_names_the_channel_and_the_budgets(house: House) -> None:
    await connected(house)
    await set_budgets(house, of_linus(100), of_all(900))
    await paid(house)
    link = await house.app.runtime.accounts.link(house.identity(ADA))
    exported = await house.app.runtime.exporting.month(house.identity(ADA), "")
    assert link.account.organization_id
    (purchase,) = exported.purchases
    assert [each.name for each in purchase.budgets] == ["U0LINUS", "all"]


async def test_a_first_vote_and_a_payment_need_no_more_than_two(house: House) -> None:
    await connected(house)
    await set_policy(house, two_people_from=Decimal(50))
    await set_budgets(house, of_all(40))
    await ask(house)
    await has_card(house, ADA)
    await agree(house, ADA)
    await pay(house, GRACE)
    await house.until(lambda: "$50 added for you" in card(house, LINUS).text)
