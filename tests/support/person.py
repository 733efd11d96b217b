"""A person who wants one purchase, and goes on with whatever the screen shows."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blocks import ids
from bot.sandbox.portal.sign_in import DeviceCodeError

if TYPE_CHECKING:
    from bot.sandbox.portal import PortalSandbox
    from bot.sandbox.slack import SlackSandbox

PATIENCE_SECONDS = 2.0
OUTCOME_SECONDS = 4.0
_OPEN = ("Adding $", "may or may not", "a timeout, not a failure", "One-time setup")
_CODE = re.compile(r"user_code=([A-Z0-9-]+)")


@dataclass(kw_only=True)
class Person:
    """Sees Slack alone. Approves on the portal what is asked for, and clicks what leads on."""

    slack: SlackSandbox
    portal: PortalSandbox
    user: str
    account: str
    amount: str
    closes: bool = False
    """Whether they close the modal as soon as they have paid."""
    _last_step: str = ""
    _last_at: float = 0.0

    def __str__(self) -> str:
        view = self.slack.view(self.user) or {}
        seen = [view.get("blocks"), self.slack.ephemerals(self.user)[-1:], self.messages()]
        return f"last {self._last_step!r}, may {self._next()!r}, sees {seen}"

    def messages(self) -> list[dict[str, Any]]:
        """The messages about this person's charges of the amount, thread replies aside."""
        found = self.slack.messages(self.slack.dm(self.user))
        amount = re.compile(rf"\${re.escape(self.amount)}(?![\d.]*\d)")
        found = [each for each in found if amount.search(each["text"])]
        return [
            each for each in found if (each.get("metadata") or {}).get("event_type") == ids.CHARGE_EVENT
        ]

    def told(self, words: str) -> bool:
        return any(words in message["text"] for message in self.messages())

    @property
    def at_end(self) -> bool:
        """Whether the person has been told how it ended."""
        shown = [message["text"] for message in self.messages()]
        return bool(shown) and not any(word in shown[-1] for word in _OPEN)

    async def step(self) -> None:
        """Do the next thing, unless the last one may still be on its way."""
        what = self._next()
        if what is None or (what == self._last_step and self._since_last() < PATIENCE_SECONDS):
            return
        self._last_step, self._last_at = what, time.monotonic()
        # What a dying app does not answer, and what is gone from the screen, is tried again.
        with contextlib.suppress(LookupError, OSError, asyncio.TimeoutError):
            await self._do(what)

    def _since_last(self) -> float:
        return time.monotonic() - self._last_at

    def _next(self) -> str | None:
        view = self.slack.view(self.user) or {}
        direct = self.slack.messages(self.slack.dm(self.user))
        latest = (self.slack.ephemerals(self.user)[-1:], direct[-1:], self.messages()[-1:])
        seen = str([view.get("blocks"), *latest])
        for code in _CODE.findall(seen):
            with contextlib.suppress(DeviceCodeError):
                self.portal.sign_in.pending_grant(code)
                return f"approve {code}"
            if self._since_last() < OUTCOME_SECONDS:
                return None
        in_message = self._next_in_message() if self.messages() else None
        resume = f"click Resume ${self.amount}"
        # Nobody resumes again and again what stands where it stood.
        if f"'Resume ${self.amount}'" in seen and (self._last_step != resume or in_message is None):
            return resume
        is_under_way = (view.get("title") or {}).get("text") == "Processing"
        if self.messages() or is_under_way:
            return in_message  # the confirmation is stored, and a message follows
        pay = str((view.get("submit") or {}).get("text") or "")
        if pay == f"Pay ${self.amount} now" and "again" not in str(view):
            return "pay"
        labels = (f"Continue with /billing buy {self.amount}", "Connect")
        return next((f"click {label}" for label in labels if f"'{label}'" in seen), "buy")

    def _next_in_message(self) -> str | None:
        shown = str(self.messages()[-1]["blocks"])
        labels = ("Enable billing", "Connect", "Check again")
        return next((f"click {label}" for label in labels if f"'{label}'" in shown), None)

    async def _do(self, what: str) -> None:
        verb, _, rest = what.partition(" ")
        match verb:
            case "approve":
                self.portal.approve(rest, self.account)
            case "click":
                await self.slack.click_text(self.user, rest)
            case "pay":
                await self.slack.submit(self.user)
                if self.closes:
                    await self.slack.close(self.user, everything=True)
            case "buy":
                there = self.slack.dm(self.user)
                await self.slack.command(self.user, f"/billing buy {self.amount}", there)


@dataclass(kw_only=True)
class Approver(Person):
    """Pays what another asks for, as soon as its card is there; of two people, agrees or pays."""

    is_first: bool = False
    """Whether they only agree."""
    is_second: bool = False
    """Whether they wait until another has agreed."""

    def _next(self) -> str | None:
        view = self.slack.view(self.user) or {}
        if (view.get("title") or {}).get("text") == "Processing":
            return None
        submit = str((view.get("submit") or {}).get("text") or "")
        if submit in {f"Pay ${self.amount} now", f"Pay ${self.amount} again", "Agree, 1 of 2"}:
            return "pay"
        found = [card for card in cards(self.slack, self.user) if f"${self.amount}*" in card["text"]]
        if found and "'Review'" in str(found[-1]["blocks"]) and self._is_turn(found[-1]["text"]):
            return "click Review"
        return self._next_in_message() if self.messages() else None

    def _is_turn(self, card: str) -> bool:
        has_first = "1 of 2:*" in card
        return not (has_first if self.is_first else self.is_second and not has_first)


@dataclass(kw_only=True)
class Asker(Person):
    """Asks for the amount once, and waits for what becomes of it."""

    def told(self, words: str) -> bool:
        return any(words in card["text"] for card in self._cards())

    @property
    def at_end(self) -> bool:
        """Whether the person has been told what became of the request."""
        return any(self.told(words) for words in ("added for you", "Failed:", "Ended without"))

    def _cards(self) -> list[dict[str, Any]]:
        mine = re.compile(rf"\${re.escape(self.amount)}(?![\d.]*\d)")
        return [card for card in cards(self.slack, self.user) if mine.search(card["text"])]

    def _next(self) -> str | None:
        if self._cards():
            return None
        view = self.slack.view(self.user) or {}
        is_form = (view.get("submit") or {}).get("text") == f"Ask for ${self.amount}"
        return "pay" if is_form else "ask"

    async def _do(self, what: str) -> None:
        if what == "ask":
            there = self.slack.dm(self.user)
            await self.slack.command(self.user, f"/billing request {self.amount} evals", there)
        else:
            await super()._do(what)


def cards(slack: SlackSandbox, user: str) -> list[dict[str, Any]]:
    """The cards of requests in a person's conversation with the app, thread replies aside."""
    found = slack.messages(slack.dm(user))
    return [each for each in found if (each.get("metadata") or {}).get("event_type") == "billing_request"]
