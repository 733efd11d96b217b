"""What the people of a request do, each in one step: Linus asks, Ada and Grace may pay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from bot.domain.budget import TypedBudget
from bot.domain.policy_views import Saved
from bot.services.routing import key_of
from bot.startup import recognize_workspace
from bot.storage.tables import requests
from tests.support.house import ADA, GRACE, LINUS
from tests.support.person import cards
from tests.support.shown import Shown

if TYPE_CHECKING:
    from datetime import timedelta

    from bot.domain.budget import Budget
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest, RequestState
    from bot.runtime import Runtime
    from tests.support.house import House

REASON = "eval runs for the paper"


async def connected(house: House, **people: str) -> None:
    """Connect Ada and Grace, who may pay, and Linus, who may not; or other portal people."""
    for user, person in {ADA: "ada", GRACE: "grace", LINUS: "linus", **people}.items():
        await house.link(user, person)


async def ask(house: House, amount: str = "50", reason: str = REASON, user: str = LINUS) -> None:
    """Ask for an amount by typing it, until the card of the requester is there."""
    seen = len(house.dm(user))
    await filled_in(house, amount, reason, user)
    await house.slack.submit(user)
    await house.until(lambda: len(house.dm(user)) > seen)


async def filled_in(house: House, amount: str = "50", reason: str = REASON, user: str = LINUS) -> None:
    """Type the command, until the form is open."""
    await house.slack.command(user, f"/billing request {amount} {reason}")
    await house.until(lambda: house.modal(user).submit.startswith("Ask"))


async def asked(house: House, amount: str = "50", reason: str = REASON) -> None:
    """Connect all three and ask, until Ada and Grace have their cards."""
    await connected(house)
    await ask(house, amount, reason)
    for user in (ADA, GRACE):
        await house.told(f"asks for ${amount}", user)


async def review(house: House, user: str = ADA, words: str = "asks for") -> None:
    """Click Review on the card, until the modal says these words."""
    if house.slack.view(user) is not None:
        await house.slack.close(user, everything=True)

    async def is_clicked() -> bool:
        try:
            await house.slack.click_text(user, "Review", in_="message")
        except LookupError:  # the card is on its way
            return False
        return True

    await house.until_async(is_clicked)
    await house.until(lambda: words in house.modal(user).text)


async def pay(house: House, user: str = ADA) -> None:
    """Review and pay."""
    await review(house, user, "Total")
    await house.slack.submit(user)


async def the_request(house: House, user: str = LINUS) -> FundsRequest:
    """The person's newest request as it is stored."""
    listed = await house.app.runtime.requests.listed(house.identity(user), everything=False)
    return listed.own[0]


async def state_of(house: House, state: RequestState, *, tries: int | None = None) -> bool:
    """Whether the newest request is in this state, after so many charges without money."""
    request = await the_request(house)
    return bool(request.state is state and (tries is None or request.tries == tries))


async def expires_in(house: House, span: timedelta) -> None:
    """Have the newest request end so soon."""
    request = await the_request(house)
    async with house.app.runtime.database.transaction() as transaction:
        values = {"expires_at": house.app.runtime.clock.now() + span}
        await transaction.execute(update(requests).where(requests.c.id == request.id).values(**values))


async def set_policy(house: House, user: str = ADA, **facts: Any) -> None:
    """Set a policy that is stricter than the one before, as a person who may."""
    await save_policy(house.app.runtime, house.identity(user), **facts)


async def save_policy(runtime: Runtime, identity: Identity, **facts: Any) -> None:
    """The same, without a running app too."""
    assert await recognize_workspace(runtime)
    link = await runtime.accounts.link(identity)
    now = await runtime.policies.newest(key_of(identity, link))
    changed = replace(now, **facts)
    saved = await runtime.team.save(identity, changed, account_id=link.account.account_id)
    assert saved is Saved.SET


async def set_budgets(house: House, *budgets: Budget, user: str = ADA) -> None:
    """Set budgets, as a person who may."""
    for each in budgets:
        wanted = TypedBudget(whose=each.whose, subject=each.subject, amount=each.amount, mode=each.mode)
        assert await house.app.runtime.team.set_budget(house.identity(user), wanted) is Saved.SET


async def agree(house: House, user: str = ADA, words: str = "1 of 2") -> None:
    """Review and agree as the first of two, until the modal says these words."""
    await review(house, user, "You don't pay")
    await house.slack.submit(user)
    await house.until(lambda: words in house.modal(user).text and not house.modal(user).submit)


async def has_card(house: House, user: str, amount: str = "50") -> None:
    """Wait until the person's newest card asks for this amount."""
    await house.until(lambda: f"asks for ${amount}" in card(house, user).text)


def card(house: House, user: str) -> Shown:
    """The newest card of a request in a person's conversation with the app."""
    found = cards(house.slack, user)
    return Shown(found[-1] if found else {})


class HeldButton:
    """A button of a message as it stood on a slow screen, to be clicked later."""

    def __init__(self, house: House, user: str, words: str) -> None:
        def fits(_block: dict[str, Any], element: dict[str, Any]) -> bool:
            return bool(element["type"] == "button" and element["text"]["text"] == words)

        self._house, self._user = house, user
        self._target = house.slack._parts.visible.find(user, fits, in_="message")

    async def click(self) -> None:
        await self._house.slack._parts.interactions.act(self._user, self._target, {})
