"""Views: trigger ids, the modal stack of each person, hashes, App Homes.

ViewRefusedError
    carries the error code of Slack's answer (`expired_trigger_id`, `hash_conflict`, …)
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.inputs import State, state_of
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.people import Cast
from bot.sandbox.slack.workspace import MessageClock, Sequence, with_ids

Json = dict[str, Any]

TRIGGER_SECONDS = 3.0
STACK_LIMIT = 3

# Which installation a view belongs to, as the view itself tells.
_OWNER = ("team_id", "app_installed_team_id", "bot_id")


class ViewRefusedError(Exception):
    """Slack refuses to open, push, update or publish; `code` is the answer's error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(kw_only=True)
class Trigger:
    """The right of an installation to open one view in answer to something a person did."""

    user: str
    owner: str
    at: float
    in_modal: bool
    used: bool = False


class Views:
    """All views of one workspace that somebody can see."""

    def __init__(self, cast: Cast, clock: MessageClock, ids: Sequence, now: Callable[[], float]) -> None:
        self._cast = cast
        self._clock = clock
        self._ids = ids
        self._now = now
        self._triggers: dict[str, Trigger] = {}
        self._stacks: dict[str, list[Json]] = {}
        self._homes: dict[str, Json] = {}
        self._abandoned: set[tuple[str, str]] = set()

    def issue_trigger(self, user: str, via: Installation, *, in_modal: bool = False) -> str:
        """A trigger id, good for one view within 3 s."""
        trigger_id = self._ids.next("1337.4242.")
        trigger = Trigger(user=user, owner=via.id, at=self._now(), in_modal=in_modal)
        self._triggers[trigger_id] = trigger
        return trigger_id

    def stack(self, user: str) -> list[Json]:
        """A person's modals, the one in front last."""
        return list(self._stacks.get(user, []))

    def home(self, user: str) -> Json | None:
        """A person's App Home, or None before it was published."""
        return self._homes.get(user)

    def find(self, view_id: str) -> tuple[str, Json] | None:
        """A visible view and the person who sees it, or None."""
        return next(((user, view) for user, view in self._visible() if view["id"] == view_id), None)

    def _visible(self) -> Iterator[tuple[str, Json]]:
        yield from self._homes.items()
        for user, stack in self._stacks.items():
            for view in stack:
                yield user, view

    def open(self, trigger_id: str, view: Json, via: Installation) -> tuple[str, Json]:
        """Opens a view in a stack of its own, or in front of the modal of the trigger.

        Returns:
            The person who sees it, and the view.

        Raises:
            ViewRefusedError: as Slack answers.
        """
        trigger = self._redeemable(trigger_id, via)
        stack = self.stack(trigger.user)
        if not trigger.in_modal:
            # The person had left the old stack without closing it, by a reload for example.
            left, stack = stack, []
            self._abandoned.update(_external(one) for one in left if one["external_id"])
        shown = self._place(trigger.user, stack, view, self._owned(trigger.user, via))
        trigger.used = True
        return trigger.user, shown

    def push(self, trigger_id: str, view: Json, via: Installation) -> tuple[str, Json]:
        """Puts a view in front of the modal from which the trigger came.

        Raises:
            ViewRefusedError: as Slack answers.
        """
        trigger = self._redeemable(trigger_id, via)
        if not trigger.in_modal:
            raise ViewRefusedError("invalid_trigger_id")
        owned = self._owned(trigger.user, via)
        shown = self._place(trigger.user, self.stack(trigger.user), view, owned)
        trigger.used = True
        return trigger.user, shown

    def push_in_answer(self, user: str, current: Json, view: Json) -> Json:
        """Puts a view in front of the current one, as `response_action: push` does.

        Raises:
            ViewRefusedError: as Slack answers.
        """
        return self._place(user, self.stack(user), view, {name: current[name] for name in _OWNER})

    def _owned(self, user: str, via: Installation) -> Json:
        person = self._cast.person(user)
        at_home = person is not None and person.team_id in via.team_ids
        return {
            "team_id": person.team_id if person and at_home else via.id,
            "app_installed_team_id": via.id,
            "bot_id": via.bot_id,
        }

    def _redeemable(self, trigger_id: str, via: Installation) -> Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None or trigger.owner != via.id:
            raise ViewRefusedError("invalid_trigger_id")
        if trigger.used:
            raise ViewRefusedError("exchanged_trigger_id")
        if self._now() - trigger.at > TRIGGER_SECONDS:
            raise ViewRefusedError("expired_trigger_id")
        return trigger

    def _place(self, user: str, stack: list[Json], view: Json, owned: Json) -> Json:
        if len(stack) >= STACK_LIMIT:
            raise ViewRefusedError("push_limit_reached")
        shown = self._render(view, {}, owned, view_id=self._ids.next("V"))
        shown["previous_view_id"] = stack[-1]["id"] if stack else None
        shown["root_view_id"] = stack[0]["root_view_id"] if stack else shown["id"]
        self._stacks[user] = [*stack, shown]
        return shown

    def _claim_external_id(self, shown: Json) -> None:
        taken = _external(shown) in self._abandoned or any(
            _external(one) == _external(shown) and one["id"] != shown["id"] for _, one in self._visible()
        )
        if shown["external_id"] and taken:
            raise ViewRefusedError("duplicate_external_id")

    def _render(self, view: Json, typed: State, owned: Json, *, view_id: str) -> Json:
        shown = {
            "callback_id": "",
            "private_metadata": "",
            "external_id": "",
            "title": {"type": "plain_text", "text": "View Title", "emoji": True},
            "submit": None,
            "close": None,
            "clear_on_close": False,
            "notify_on_close": False,
            **copy.deepcopy(view),
            **owned,
            "id": view_id,
            "app_id": self._cast.app.id,
            "hash": f"{self._clock.ts()}.{self._ids.next('h')}",
            "root_view_id": view_id,
            "previous_view_id": None,
            "blocks": with_ids(view["blocks"], self._ids),
        }
        shown["state"] = {"values": state_of(shown["blocks"], typed)}
        self._claim_external_id(shown)
        return shown

    def update(
        self,
        view: Json,
        via: Installation,
        *,
        view_id: str | None,
        external_id: str | None,
        expected: str | None,
    ) -> tuple[str, Json]:
        """Replaces a visible view; what was typed into kept ids stays.

        Args:
            view: The new content.
            via: The installation that asks for it.
            view_id: The view to replace, or None when `external_id` names it.
            external_id: The app's own name of the view.
            expected: The hash the app last saw; None replaces whatever is there.

        Raises:
            ViewRefusedError: `not_found` when nobody sees the view any more, `hash_conflict`.
        """
        user, current = self._named(view_id, external_id, via)
        if expected and expected != current["hash"]:
            raise ViewRefusedError("hash_conflict")
        return user, self.replace(current, view)

    def replace(self, current: Json, view: Json) -> Json:
        """Gives a visible view new content and a new hash, in place."""
        owned = {name: current[name] for name in _OWNER}
        shown = self._render(view, current["state"]["values"], owned, view_id=current["id"])
        shown["root_view_id"] = current["root_view_id"]
        shown["previous_view_id"] = current["previous_view_id"]
        current.clear()
        current.update(shown)
        return current

    def _named(self, view_id: str | None, external_id: str | None, via: Installation) -> tuple[str, Json]:
        for user, view in self._visible():
            by_name = external_id and not view_id and view["external_id"] == external_id
            if view["app_installed_team_id"] == via.id and (view["id"] == view_id or by_name):
                return user, view
        raise ViewRefusedError("not_found")

    def publish(self, user: str, view: Json, expected: str | None, via: Installation) -> Json:
        """Shows a person's App Home.

        Raises:
            ViewRefusedError: `hash_conflict`.
        """
        current = self._homes.get(user)
        if current is not None and current["app_installed_team_id"] == via.id:
            if expected and expected != current["hash"]:
                raise ViewRefusedError("hash_conflict")
            return self.replace(current, view)
        owned = self._owned(user, via)
        self._homes[user] = self._render(view, {}, owned, view_id=self._ids.next("V"))
        return self._homes[user]

    def forget_homes(self, via: Installation) -> list[str]:
        """Takes away what an installation published; returns the people who saw it."""
        saw = [user for user, home in self._homes.items() if home["app_installed_team_id"] == via.id]
        for user in saw:
            del self._homes[user]
        return saw

    def fill(self, view: Json, typed: State) -> None:
        """Remembers what a person chose and typed in a view."""
        merged = {
            block_id: {**view["state"]["values"].get(block_id, {}), **typed.get(block_id, {})}
            for block_id in {*view["state"]["values"], *typed}
        }
        view["state"] = {"values": state_of(view["blocks"], merged)}

    def close(self, user: str, view_id: str, *, everything: bool = False) -> list[Json]:
        """Takes a view and those in front of it away; returns what was closed, front first."""
        stack = self._stacks.get(user, [])
        position = next((i for i, view in enumerate(stack) if view["id"] == view_id), None)
        if position is None:
            return []
        if everything or any(view["clear_on_close"] for view in stack[position:]):
            position = 0
        self._stacks[user] = stack[:position]
        return stack[position:][::-1]

    def settle(self, user: str, view_id: str) -> None:
        """Closes one submitted view; those behind it come to the front."""
        self._stacks[user] = [view for view in self.stack(user) if view["id"] != view_id]

    def clear(self, user: str) -> None:
        """Closes all modals of a person."""
        self._stacks[user] = []


def _external(view: Json) -> tuple[str, str]:
    """An external id is unique within its installation."""
    return view["app_installed_team_id"], view["external_id"]
