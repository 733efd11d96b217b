"""The surfaces that a person sees, and the elements on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bot.sandbox.slack.block_elements import elements_of
from bot.sandbox.slack.inputs import offered, value_field
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
Where = Literal["message", "ephemeral", "view", "home"]

_LISTS = frozenset({"selected_users", "selected_conversations"})
_PLAIN = frozenset(
    {
        "selected_user",
        "selected_conversation",
        "selected_channel",
        "selected_date",
        "selected_time",
        "selected_date_time",
    }
)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A message, an ephemeral message, a modal or App Home, and the conversation of a message."""

    kind: Where
    content: Json
    channel: str | None = None

    @property
    def id(self) -> str:
        """Return the ts of a message or the id of a view."""
        return str(self.content["id"] if self.kind in ("view", "home") else self.content["ts"])


@dataclass(frozen=True, kw_only=True)
class Target:
    """One element on one surface."""

    surface: Surface
    block: Json
    element: Json


class Visible:
    """Find the surfaces and elements that a person can currently see."""

    def __init__(self, workspace: Workspace, views: Views) -> None:
        self._workspace = workspace
        self._views = views
        self._home_opened_at: dict[str, str] = {}

    def record_home_opened(self, user: str) -> None:
        """Record that a person opened App Home, which makes it the person's newest surface."""
        self._home_opened_at[user] = self._workspace.clock.ts()

    def surfaces(self, user: str) -> Iterator[Surface]:
        """Yield the front modal, then messages and App Home, newest first."""
        stack = self._views.stack(user)
        if stack:
            yield Surface(kind="view", content=stack[-1])
        seen = [
            (message["ts"], self.message_surface(message, channel))
            for channel in self._workspace.conversations(user)
            for message in self._workspace.as_seen_by(user, channel)
        ]
        home = self._views.home(user)
        if home is not None:
            seen.append((self._home_opened_at.get(user, "0"), Surface(kind="home", content=home)))
        for _, surface in sorted(seen, key=lambda pair: pair[0], reverse=True):
            yield surface

    def message_surface(self, message: Json, channel: str) -> Surface:
        """Return the surface of a message or an ephemeral message."""
        kind: Where = "ephemeral" if message.get("ephemeral") else "message"
        return Surface(kind=kind, content=message, channel=channel)

    def message(self, user: str, channel: str, ts: str) -> Surface | None:
        """Return the message or ephemeral message with this ts, or None when the person cannot see it."""
        if channel not in self._workspace.conversations(user):
            return None
        found = self._workspace.ephemeral(user, ts) or self._workspace.message(channel, ts)
        return self.message_surface(found, channel) if found else None

    def view(self, user: str, view_id: str) -> Surface | None:
        """Return the modal or App Home with this id, or None when the person cannot see it."""
        found = self._views.find(view_id)
        if found is None or found[0] != user:
            return None
        kind: Where = "home" if found[1]["type"] == "home" else "view"
        return Surface(kind=kind, content=found[1])

    def find(self, user: str, fits: Callable[[Json, Json], bool], *, in_: str | None) -> Target:
        """Return the first matching element of the newest surface that has one.

        Args:
            user: The id of the person.
            fits: The condition on a block and its element.
            in_: A kind of surface, a ts or a view id. None is any surface.

        Raises:
            LookupError: the person sees no such element. The message lists the visible elements.
        """
        for surface in self.surfaces(user):
            if in_ is None or in_ in (surface.kind, surface.id):
                for target in targets(surface):
                    if fits(target.block, target.element):
                        return target
        raise LookupError(f"{user} sees no such element; reachable: {self._reachable(user)}")

    def _reachable(self, user: str) -> str:
        return ", ".join(
            f"{target.element.get('action_id')}={label(target.element)!r} ({surface.kind})"
            for surface in self.surfaces(user)
            for target in targets(surface)
        )


def targets(surface: Surface) -> Iterator[Target]:
    """Yield every interactive element of a surface, in drawing order."""
    for block in surface.content.get("blocks") or []:
        for element in elements_of(block):
            if element.get("type") != "image":
                yield Target(surface=surface, block=block, element=element)


def label(element: Json) -> str:
    """Return the text of a button, or an empty string for another element."""
    text = element.get("text")
    return str(text.get("text", "")) if isinstance(text, dict) else ""


def chosen(element: Json, value: object) -> Json:
    """Return the fields of a choice as in Slack's action object.

    Args:
        element: The select, radio buttons, checkboxes, overflow or picker.
        value: The option's value or text, a list of these, or the value of a picker.

    Raises:
        LookupError: no option has that value or text.
    """
    name = value_field(element["type"])
    if name == "selected_options":
        values = value if isinstance(value, list) else [value]
        return {name: [_option(element, one) for one in values]}
    if name in _PLAIN or name in _LISTS or value is None:
        return {name: value}
    return {name: _option(element, value)}


def _option(element: Json, value: object) -> Json:
    options = offered(element)
    for option in options:
        if value in (option["value"], option["text"]["text"]):
            return option
    raise LookupError(f"no option {value!r} among {[option['value'] for option in options]}")
