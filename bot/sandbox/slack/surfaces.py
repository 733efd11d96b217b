"""Finding what a person sees: the surface, the block and the element they act on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bot.sandbox.slack.block_kit import elements_of
from bot.sandbox.slack.inputs import offered, value_field
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import Workspace

Json = dict[str, Any]
Where = Literal["message", "ephemeral", "view", "home"]

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
    """A message, an ephemeral, a modal or a home, and the conversation it stands in."""

    kind: Where
    content: Json
    channel: str | None = None

    @property
    def id(self) -> str:
        """The ts of a message, the id of a view."""
        return str(self.content["id"] if self.kind in ("view", "home") else self.content["ts"])


@dataclass(frozen=True, kw_only=True)
class Target:
    """One element on one surface."""

    surface: Surface
    block: Json
    element: Json


class Sight:
    """What each person can see and reach now."""

    def __init__(self, workspace: Workspace, views: Views) -> None:
        self._workspace = workspace
        self._views = views
        self._home_seen: dict[str, str] = {}

    def look_at_home(self, user: str) -> None:
        """Remembers when a person last opened App Home: it is then their newest surface."""
        self._home_seen[user] = self._workspace.clock.ts()

    def surfaces(self, user: str) -> Iterator[Surface]:
        """The front modal, then messages and home, the one seen last first."""
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
            seen.append((self._home_seen.get(user, "0"), Surface(kind="home", content=home)))
        for _, surface in sorted(seen, key=lambda pair: pair[0], reverse=True):
            yield surface

    def message_surface(self, message: Json, channel: str) -> Surface:
        """A message or ephemeral as something to act on."""
        kind: Where = "ephemeral" if message.get("ephemeral") else "message"
        return Surface(kind=kind, content=message, channel=channel)

    def message(self, user: str, channel: str, ts: str) -> Surface | None:
        """The message or ephemeral with this ts, when the person sees it."""
        if channel not in self._workspace.conversations(user):
            return None
        found = self._workspace.ephemeral(user, ts) or self._workspace.message(channel, ts)
        return self.message_surface(found, channel) if found else None

    def view(self, user: str, view_id: str) -> Surface | None:
        """The modal or home with this id, when the person sees it."""
        found = self._views.find(view_id)
        if found is None or found[0] != user:
            return None
        kind: Where = "home" if found[1]["type"] == "home" else "view"
        return Surface(kind=kind, content=found[1])

    def find(self, user: str, fits: Callable[[Json, Json], bool], *, in_: str | None) -> Target:
        """The first element that fits on the newest surface that has one.

        Args:
            user: Who looks.
            fits: Takes a block and an element of it.
            in_: A kind of surface, a ts or a view id; None is any surface.

        Raises:
            LookupError: the person sees no such element; the message lists what they see.
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
    """Every interactive element of a surface, in the order they are drawn."""
    for block in surface.content.get("blocks") or []:
        for element in elements_of(block):
            if element.get("type") != "image":
                yield Target(surface=surface, block=block, element=element)


def label(element: Json) -> str:
    """What is written on a button; empty for other elements."""
    text = element.get("text")
    return str(text.get("text", "")) if isinstance(text, dict) else ""


def chosen(element: Json, value: object) -> Json:
    """A choice in the form Slack's action object has.

    Args:
        element: The select, radio buttons, checkboxes, overflow or picker.
        value: The option's value (or its visible text), a list of them, or what a picker gives.

    Raises:
        LookupError: no option has that value or text.
    """
    name = value_field(element["type"])
    if name == "selected_options":
        values = value if isinstance(value, list) else [value]
        return {name: [_option(element, one) for one in values]}
    if name in _PLAIN or name == "selected_users" or value is None:
        return {name: value}
    return {name: _option(element, value)}


def _option(element: Json, value: object) -> Json:
    options = offered(element)
    for option in options:
        if value in (option["value"], option["text"]["text"]):
            return option
    raise LookupError(f"no option {value!r} among {[option['value'] for option in options]}")
