"""One request from Slack: a command, a click, a submission, a closed modal, or an event.

Its shape is validated once. Unknown fields are allowed, because Slack may add some.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.errors import StaleError
from bot.domain.identity import Identity
from bot.domain.installation import Place
from bot.domain.text import TYPED, clean


class _Loose(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Option(_Loose):
    """A chosen option."""

    value: str | None = None


class Element(_Loose):
    """An input or button, with its typed, chosen or fixed value."""

    value: str | None = None
    selected_option: Option | None = None
    selected_options: list[Option] = []
    selected_users: list[str] = []
    selected_conversations: list[str] = []

    @property
    def entered(self) -> str | None:
        """The typed or chosen value."""
        option = self.selected_option.value if self.selected_option else None
        return self.value or option or next(iter(self.selected_conversations), None)


class State(_Loose):
    """The inputs of a view, by block id and action id."""

    values: dict[str, dict[str, Element]] = {}


class Block(_Loose):
    """A block of a view."""

    block_id: str | None = None


class View(_Loose):
    """A modal or an App Home."""

    id: str = Field(min_length=1)
    hash: str | None = None
    type: str | None = None
    callback_id: str | None = None
    private_metadata: str | None = None
    state: State | None = None
    blocks: list[Block] = []


class Action(Element):
    """The clicked element."""

    action_id: str | None = None


class Container(_Loose):
    """Where the clicked element is."""

    type: Any | None = None
    is_ephemeral: bool | None = None
    channel_id: Any | None = None
    message_ts: Any | None = None
    thread_ts: Any | None = None


class Payload(_Loose):
    """The fields of a request that the handlers use."""

    text: str | None = None
    channel_id: str | None = None
    trigger_id: str | None = None
    response_url: str | None = None
    actions: list[Action] | None = None
    container: Container | None = None
    view: View | None = None


class SubmittedView(View):
    """A view with its inputs."""

    state: State


class Submission(Payload):
    """A submitted modal."""

    view: SubmittedView


@dataclass(frozen=True, kw_only=True, slots=True)
class MessagePlace:
    """A message's address; `ts` is the thread's if it is in one."""

    channel: str
    ts: str


@dataclass(frozen=True, kw_only=True)
class SlackRequest:
    """A request, parsed once. `is_well_made` is False if the payload is malformed."""

    body: dict[str, Any] = field(repr=False)
    payload: Payload = field(repr=False)
    is_well_made: bool

    @classmethod
    def parse(cls, body: dict[str, Any]) -> SlackRequest:
        """Parse a request; the payload of a malformed one is empty."""
        shape = Submission if body.get("type") == "view_submission" else Payload
        try:
            return cls(body=body, payload=shape.model_validate(body), is_well_made=True)
        except ValidationError:
            return cls(body=body, payload=Payload(), is_well_made=False)

    @cached_property
    def place(self) -> Place:
        """The ids by which the request names its installation."""
        return place_of(self.body)

    @cached_property
    def identity(self) -> Identity:
        """The acting person, as the request says; in a shared channel it may be an outsider."""
        return identity_of(self.body)

    @property
    def is_command(self) -> bool:
        """Whether it is a typed command."""
        return "command" in self.body

    @property
    def is_submission(self) -> bool:
        """Whether a modal was submitted; then the acknowledgement can change the modal."""
        return self.body.get("type") == "view_submission"

    @cached_property
    def typed_text(self) -> str:
        """The text after the command."""
        return clean(html.unescape(self.payload.text or ""), TYPED) or ""

    @property
    def kind(self) -> str:
        """The kind of request, by Slack's name."""
        return "command" if self.is_command else str(self.body.get("type") or "request")

    @property
    def event(self) -> dict[str, Any] | None:
        """The event, if the request is one."""
        event = self.body.get("event")
        return event if isinstance(event, dict) else None

    @property
    def origin(self) -> str:
        """The origin for the audit log: the kind of request, and the channel if it names one."""
        channel: Any = self.body.get("channel_id") or self.body.get("channel")
        return f"slack {self.kind} {_id(channel)}".strip()[:120]

    @property
    def action(self) -> Action:
        """The clicked element; an empty one if nothing was clicked."""
        actions = self.payload.actions
        return actions[0] if actions else Action()

    @property
    def value(self) -> str:
        """The value of the clicked button, or of the entry chosen in a menu."""
        return self.action.value or self.action.entered or ""

    @property
    def view(self) -> View:
        """The submitted or clicked view.

        Raises:
            StaleError: there is none, e.g. after a click in a message on a button for views.
        """
        if self.payload.view is None:
            raise StaleError
        return self.payload.view

    @property
    def metadata(self) -> str:
        """The submitted or clicked view's private metadata."""
        view = self.payload.view
        return (view.private_metadata if view else None) or ""

    @property
    def modal(self) -> View | None:
        """The modal with the clicked element."""
        view = self.payload.view
        return view if view is not None and view.type == "modal" else None

    @property
    def modal_id(self) -> str | None:
        """The id of the modal with the clicked element."""
        return self.modal.id if self.modal is not None else None

    @property
    def in_home(self) -> bool:
        """Whether the click came from App Home."""
        return self.payload.view is not None and self.payload.view.type == "home"

    @property
    def in_ephemeral(self) -> bool:
        """Whether the click came from a message that only the person sees."""
        container = self.payload.container
        return container is not None and bool(container.is_ephemeral)

    @property
    def clicked_message(self) -> MessagePlace | None:
        """The app's permanent message with the clicked element; None for a view or an ephemeral message."""
        container = self.payload.container
        if container is None or container.type != "message" or container.is_ephemeral:
            return None
        channel, ts = container.channel_id, container.thread_ts or container.message_ts
        if not (isinstance(channel, str) and isinstance(ts, str)):
            return None
        return MessagePlace(channel=channel, ts=ts)

    @property
    def team_channel(self) -> str | None:
        """The channel of a command, or of the clicked message; None for a direct message."""
        container = self.payload.container
        found = self.payload.channel_id or (container.channel_id if container is not None else None)
        return found if isinstance(found, str) and not found.startswith("D") else None

    @property
    def response_url(self) -> str | None:
        """The URL for the answer; None for a click in a view. A secret."""
        return self.payload.response_url or None

    @property
    def own_response_url(self) -> str | None:
        """The response_url, if replacing its message affects only this person's answer."""
        return self.response_url if self.is_command or self.in_ephemeral else None

    @property
    def inputs(self) -> dict[str, dict[str, Element]]:
        """The inputs of the submitted or clicked view, by block id."""
        view = self.payload.view
        return view.state.values if view is not None and view.state is not None else {}

    def entered(self, block_id: str) -> str | None:
        """Return the typed or chosen value of an input; None if it is empty or missing."""
        element = next(iter(self.inputs.get(block_id, {}).values()), None)
        return clean(element.entered or "", TYPED) if element is not None else None

    def checked(self, block_id: str) -> frozenset[str]:
        """Return the values of the boxes that were checked in an input."""
        element = next(iter(self.inputs.get(block_id, {}).values()), None)
        chosen = () if element is None else element.selected_options
        return frozenset(each.value for each in chosen if each.value is not None)

    def people(self, block_id: str) -> tuple[str, ...]:
        """Return the Slack ids of the people who were chosen in an input."""
        element = next(iter(self.inputs.get(block_id, {}).values()), None)
        return () if element is None else tuple(element.selected_users)


def place_of(body: dict[str, Any]) -> Place:
    """Return the ids by which a request names its installation."""
    private = _is_private(body)
    authorizations: Any = body.get("authorizations")
    if isinstance(authorizations, list) and authorizations and isinstance(authorizations[0], dict):
        body = {"team_id": body.get("team_id"), **authorizations[0]}
    enterprise = body.get("enterprise_id") or body.get("enterprise")
    team = body.get("team_id") or body.get("team")
    return Place(enterprise=_id(enterprise), team=_id(team), private=private)


def _is_private(body: dict[str, Any]) -> bool:
    """Tell whether only one person sees the place of the request: a view, ephemeral or direct message."""
    container = body.get("container")
    ephemeral = isinstance(container, dict) and container.get("is_ephemeral") is True
    return "view" in body or "event" in body or ephemeral or _id(body.get("channel")).startswith("D")


def identity_of(body: dict[str, Any]) -> Identity:
    """Return the acting person, as the request says; in a shared channel it may be an outsider."""
    event: Any = body.get("event")
    user: Any = body.get("user") or body.get("user_id")
    if user is None and isinstance(event, dict):
        user = event.get("user")
    team: Any = user.get("team_id") if isinstance(user, dict) else None
    place = place_of(body)
    return Identity(
        enterprise=place.enterprise,
        team=_id(team or body.get("team_id")) or place.team,
        user=_id(user),
    )


def _id(value: object) -> str:
    """Return the id of an object, or a bare id; empty for anything else."""
    found: object = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""
