"""History, trace and App Home: what was bought, told to whoever bought it."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support.house import ADA, GRACE, House


async def history(house: House, user: str = ADA) -> str:
    seen = len(house.slack.ephemerals(user))
    await house.slack.command(user, "/billing history")
    await house.until(lambda: len(house.slack.ephemerals(user)) > seen)
    return str(house.last_ephemeral(user)["text"])


async def test_an_empty_history_says_so(house: House) -> None:
    assert "You haven't added funds through this app yet" in await history(house)


async def test_the_history_lists_ones_own_purchases_newest_first_with_outcome_card_and_place(
    house: House,
) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    await house.buy("10.01")
    await house.told("was declined")
    await house.link(GRACE, "grace")
    await house.buy("75", GRACE)
    text = await history(house)
    assert text.index("*$10.01* · failed") < text.index("*$50* · added")
    assert "Acme Research · Visa ····4242 · <!date^" in text
    assert "$75" not in text


async def test_the_history_is_paged(house: House) -> None:
    await house.link()
    for cents in range(7):
        await house.buy(f"20.0{cents}")
        await house.told(f"$20.0{cents} added" if cents else "$20 added")
    assert "$20.06" in await history(house)
    assert "$20.01" not in house.last_ephemeral()["text"]
    await house.slack.click_text(ADA, "Older")
    await house.until(lambda: "$20.01" in house.last_ephemeral()["text"])
    assert "Older" not in house.answer().text
    await house.slack.click_text(ADA, "Newer")
    await house.until(lambda: "$20.06" in house.last_ephemeral()["text"])


async def test_the_trace_tells_the_story_without_the_key(house: House) -> None:
    await house.link()
    await house.buy("10.13")
    await house.told("$10.13 added", seconds=12)
    (charge,) = await house.charges()
    for count, typed in enumerate(("/billing trace", f"/billing trace {charge.id}"), start=1):
        await house.slack.command(ADA, typed)
        await house.until(partial(_ephemerals, house, count))
        text = house.last_ephemeral()["text"]
        for words in (
            "Confirmed",
            "Sent to the portal",
            "No clear answer",
            "Accepted by the portal",
            "Status checked",
            "Ended: added",
            "Message posted",
            "Key ",
        ):
            assert words in text
        assert charge.idempotency_key not in text


def _ephemerals(house: House, count: int) -> bool:
    return len(house.slack.ephemerals(ADA)) == count


@pytest.mark.parametrize("typed", ["nothing", "../x", "<!channel>"])
async def test_the_trace_of_what_is_not_there_says_where_to_look(house: House, typed: str) -> None:
    await house.slack.command(ADA, f"/billing trace {typed}")
    await house.until(lambda: "You have no such purchase" in house.last_ephemeral()["text"])


async def test_somebody_elses_purchase_cannot_be_traced(house: House) -> None:
    await house.link()
    await house.buy("50")
    await house.told("$50 added")
    (charge,) = await house.charges()
    await house.slack.command(GRACE, f"/billing trace {charge.id}")
    await house.until(lambda: "You have no such purchase" in house.last_ephemeral(GRACE)["text"])


async def test_home_is_useful_unlinked_linked_and_follows_each_outcome(house: House) -> None:
    await house.slack.open_home(ADA)
    await house.until(lambda: "Connect your portal account once" in house.home().text)
    await house.link()
    await house.slack.open_home(ADA)
    await house.until(lambda: "$155.70 to use" in house.home().text)
    assert "$820 left of $1,000 this month" in house.home().text
    await house.slack.click_text(ADA, "Add funds", in_="home")
    await house.until(lambda: house.modal().submit)
    await house.slack.select(ADA, "amount_preset", "50")
    await house.slack.submit(ADA)
    await house.confirm_shown()
    await house.slack.submit(ADA)
    await house.until(lambda: "$205.70 to use" in house.home().text)
    assert "*$50* · added" in house.home().text


async def test_home_says_when_billing_cannot_be_loaded(house: House) -> None:
    await house.link()
    house.portal.set_scenario("acme", "portal-down")
    await house.slack.open_home(ADA)
    await house.until(lambda: "Couldn't load billing" in house.home().text)
