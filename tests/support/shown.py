"""A message, a modal or App Home as its reader sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = ("plain_text", "mrkdwn")
_CODE = re.compile(r"[?&]user_code=([A-Z0-9-]+)")


@dataclass(frozen=True)
class Field:
    """A field of a form: what it holds at first, and what it offers, each label with its value."""

    initial: str
    options: dict[str, str]


@dataclass(frozen=True)
class Shown:
    """What stands on one surface. Where nothing is shown, every part of it is empty."""

    content: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return _label(self.content.get("title"))

    @property
    def submit(self) -> str:
        """The label of the button that submits the modal."""
        return _label(self.content.get("submit"))

    @property
    def text(self) -> str:
        """All words, from the title to the labels of the buttons and what they ask, one text a line."""
        parts = [self.content.get(name) for name in ("title", "blocks", "close", "submit")]
        return "\n".join(words for part in parts for words in _words(part))

    @property
    def buttons(self) -> list[str]:
        """The labels of the buttons among the blocks."""
        return [_label(button["text"]) for button in self._buttons()]

    @property
    def styles(self) -> dict[str, str | None]:
        """The style of each button, by its label."""
        return {_label(button["text"]): button.get("style") for button in self._buttons()}

    @property
    def questions(self) -> dict[str, str]:
        """What a button asks before it acts, by its label."""
        return {
            _label(button["text"]): "\n".join(_words(button["confirm"]))
            for button in self._buttons()
            if "confirm" in button
        }

    @property
    def links(self) -> list[str]:
        """Where the buttons lead that are links."""
        return [str(button["url"]) for button in self._buttons() if "url" in button]

    @property
    def code(self) -> str:
        """The code in the link to the portal's sign-in page."""
        return next((found[1] for link in self.links if (found := _CODE.search(link))), "")

    @property
    def fields(self) -> dict[str, Field]:
        """What can be typed or chosen, by its action id."""
        return {
            element["action_id"]: _field(element)
            for element in self._elements()
            if "action_id" in element and element["type"] != "button"
        }

    def _buttons(self) -> list[dict[str, Any]]:
        return [element for element in self._elements() if element["type"] == "button"]

    def _elements(self) -> Iterator[dict[str, Any]]:
        for block in self.content.get("blocks") or []:
            yield from block.get("elements", [])
            yield from (block[name] for name in ("element", "accessory") if name in block)


def _field(element: dict[str, Any]) -> Field:
    chosen = element.get("initial_option", {}).get("value", "")
    offered = {_label(option["text"]): option["value"] for option in element.get("options", [])}
    return Field(initial=element.get("initial_value", chosen), options=offered)


def _label(words: dict[str, Any] | None) -> str:
    return str(words["text"]) if words else ""


def _words(part: Any) -> Iterator[str]:
    match part:
        case {"type": kind, "text": str(words)} if kind in _WORDS:
            yield words
        case dict():
            for inner in part.values():
                yield from _words(inner)
        case list():
            for inner in part:
                yield from _words(inner)
