"""Views: trigger ids, the modal stack of each person, hashes, App Homes.

ViewRefusedError
    has the error code of Slack's answer (`expired_trigger_id`, `hash_conflict`, …)
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.directory import Directory
from bot.sandbox.slack.inputs import State, state_of
from bot.sandbox.slack.installations import Installation
from bot.sandbox.slack.workspace import IdSequence, MessageClock, with_ids

Json = dict[str, Any]

TRIGGER_SECONDS = 3.0
STACK_LIMIT = 3

# The fields of a view that identify its installation.
_OWNER = ("team_id", "app_installed_team_id", "bot_id")


class ViewRefusedError(Exception):
    """Slack refuses to open, push, update or publish a view. `code` is the error of the answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(kw_only=True)
class Trigger:
    """The permission of an installation to open one view after an interaction."""

    user: str
    owner: str
    at: float
    in_modal: bool
    used: bool = False


class Views:
    """The visible modals and App Homes of all people."""

    def __init__(
        self, directory: Directory, clock: MessageClock, ids: IdSequence, now: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._now = now
        self._triggers: dict[str, Trigger] = {}
        self._stacks: dict[str, list[Json]] = {}
        self._homes: dict[str, Json] = {}
        self._abandoned: set[tuple[str, str]] = set()
        self._closed: set[str] = set()

    def issue_trigger(self, user: str, via: Installation, *, in_modal: bool = False) -> str:
        """Issue a trigger id, which is valid for one view within 3 seconds."""
        trigger_id = self._ids.next("1337.4242.")
        trigger = Trigger(user=user, owner=via.id, at=self._now(), in_modal=in_modal)
        self._triggers[trigger_id] = trigger
        return trigger_id

    def stack(self, user: str) -> list[Json]:
        """Return a person's modals, the front one last."""
        return list(self._stacks.get(user, []))

    def home(self, user: str) -> Json | None:
        """Return a person's App Home, or None before its publication."""
        return self._homes.get(user)

    def find(self, view_id: str) -> tuple[str, Json] | None:
        """Return the view with this id and the person who sees it, or None."""
        return next(((user, view) for user, view in self._visible() if view["id"] == view_id), None)

    def _visible(self) -> Iterator[tuple[str, Json]]:
        yield from self._homes.items()
        for user, stack in self._stacks.items():
            for view in stack:
                yield user, view

    def open(self, trigger_id: str, view: Json, via: Installation) -> tuple[str, Json]:
        """Open a view in a new stack, or in front of the modal in which the trigger was issued.

        Returns:
            The person who sees the view, and the view.

        Raises:
            ViewRefusedError: the trigger or the view is refused.
        """
        trigger = self._valid_trigger(trigger_id, via)
        stack = self.stack(trigger.user)
        if not trigger.in_modal:
            # The person left the old stack without closing it, for example by a reload.
            left, stack = stack, []
            self._abandoned.update(_external(one) for one in left if one["external_id"])
            self._record_closed(left)
        shown = self._place(trigger.user, stack, view, self._owner_fields(trigger.user, via))
        trigger.used = True
        return trigger.user, shown

    def push(self, trigger_id: str, view: Json, via: Installation) -> tuple[str, Json]:
        """Push a view in front of the modal in which the trigger was issued.

        Raises:
            ViewRefusedError: the trigger or the view is refused.
        """
        trigger = self._valid_trigger(trigger_id, via)
        if not trigger.in_modal:
            raise ViewRefusedError("invalid_trigger_id")
        owner_fields = self._owner_fields(trigger.user, via)
        shown = self._place(trigger.user, self.stack(trigger.user), view, owner_fields)
        trigger.used = True
        return trigger.user, shown

    def push_from_response(self, user: str, current: Json, view: Json) -> Json:
        """Push a view in front of the current one, as `response_action: push` does.

        Raises:
            ViewRefusedError: the view is refused.
        """
        return self._place(user, self.stack(user), view, {name: current[name] for name in _OWNER})

    def _owner_fields(self, user: str, via: Installation) -> Json:
        person = self._directory.person(user)
        at_home = person is not None and person.team_id in via.team_ids
        return {
            "team_id": person.team_id if person and at_home else via.id,
            "app_installed_team_id": via.id,
            "bot_id": via.bot_id,
        }

    def _valid_trigger(self, trigger_id: str, via: Installation) -> Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None or trigger.owner != via.id:
            raise ViewRefusedError("invalid_trigger_id")
        if trigger.used:
            raise ViewRefusedError("exchanged_trigger_id")
        if self._now() - trigger.at > TRIGGER_SECONDS:
            raise ViewRefusedError("expired_trigger_id")
        return trigger

    def _place(self, user: str, stack: list[Json], view: Json, owner_fields: Json) -> Json:
        if len(stack) >= STACK_LIMIT:
            raise ViewRefusedError("push_limit_reached")
        shown = self._render(view, {}, owner_fields, view_id=self._ids.next("V"))
        shown["previous_view_id"] = stack[-1]["id"] if stack else None
        shown["root_view_id"] = stack[0]["root_view_id"] if stack else shown["id"]
        self._stacks[user] = [*stack, shown]
        return shown

    def _check_external_id(self, shown: Json) -> None:
        taken = _external(shown) in self._abandoned or any(
            _external(one) == _external(shown) and one["id"] != shown["id"] for _, one in self._visible()
        )
        if shown["external_id"] and taken:
            raise ViewRefusedError("duplicate_external_id")

    def _render(self, view: Json, typed: State, owner_fields: Json, *, view_id: str) -> Json:
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
            **owner_fields,
            "id": view_id,
            "app_id": self._directory.app.id,
            "hash": f"{self._clock.ts()}.{self._ids.next('h')}",
            "root_view_id": view_id,
            "previous_view_id": None,
            "blocks": with_ids(view["blocks"], self._ids),
        }
        shown["state"] = {"values": state_of(shown["blocks"], typed)}
        self._check_external_id(shown)
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
        """Replace a visible view. Typed values with the same ids remain.

        Args:
            view: The new content.
            via: The installation that updates the view.
            view_id: The id of the view, or None to find it by `external_id`.
            external_id: The app's own id of the view.
            expected: The hash that the app last saw. None replaces the view unconditionally.

        Raises:
            ViewRefusedError: `not_found` for a view that is not visible, or `hash_conflict`.
        """
        user, current = self._named(view_id, external_id, via)
        if expected and expected != current["hash"]:
            raise ViewRefusedError("hash_conflict")
        return user, self.replace(current, view)

    def replace(self, current: Json, view: Json) -> Json:
        """Replace the content and the hash of a visible view in place."""
        owner_fields = {name: current[name] for name in _OWNER}
        shown = self._render(view, current["state"]["values"], owner_fields, view_id=current["id"])
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
        """Publish a person's App Home.

        Raises:
            ViewRefusedError: `hash_conflict`.
        """
        current = self._homes.get(user)
        if current is not None and current["app_installed_team_id"] == via.id:
            if expected and expected != current["hash"]:
                raise ViewRefusedError("hash_conflict")
            return self.replace(current, view)
        owner_fields = self._owner_fields(user, via)
        self._homes[user] = self._render(view, {}, owner_fields, view_id=self._ids.next("V"))
        return self._homes[user]

    def forget_homes(self, via: Installation) -> list[str]:
        """Remove the App Homes of an installation and return the people who saw them."""
        saw = [user for user, home in self._homes.items() if home["app_installed_team_id"] == via.id]
        for user in saw:
            del self._homes[user]
        return saw

    def fill(self, view: Json, typed: State) -> None:
        """Store the values that a person chose and typed in a view."""
        merged = {
            block_id: {**view["state"]["values"].get(block_id, {}), **typed.get(block_id, {})}
            for block_id in {*view["state"]["values"], *typed}
        }
        view["state"] = {"values": state_of(view["blocks"], merged)}

    def close(self, user: str, view_id: str, *, everything: bool = False) -> list[Json]:
        """Close a view and the views in front of it. Return the closed views, front first."""
        stack = self._stacks.get(user, [])
        position = next((i for i, view in enumerate(stack) if view["id"] == view_id), None)
        if position is None:
            return []
        if everything or any(view["clear_on_close"] for view in stack[position:]):
            position = 0
        self._stacks[user] = stack[:position]
        self._record_closed(stack[position:])
        return stack[position:][::-1]

    def _record_closed(self, views: list[Json]) -> None:
        self._closed.update(name for one in views for name in (one["id"], one["external_id"]) if name)

    def was_closed(self, name: object) -> bool:
        """Return whether a person closed or left the modal with this id or external id."""
        return name in self._closed

    def close_submitted(self, user: str, view_id: str) -> None:
        """Close one submitted view and keep the other views of the stack."""
        self._stacks[user] = [view for view in self.stack(user) if view["id"] != view_id]

    def clear_all(self) -> None:
        """Close all modals and remove all App Homes."""
        for kept in (self._stacks, self._homes, self._triggers, self._abandoned, self._closed):
            kept.clear()

    def clear(self, user: str) -> None:
        """Close all modals of a person."""
        self._stacks[user] = []


def _external(view: Json) -> tuple[str, str]:
    """Return the external id with its installation, within which it is unique."""
    return view["app_installed_team_id"], view["external_id"]
