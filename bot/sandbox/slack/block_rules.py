"""Rules that validate one value of a payload.

Each rule yields error messages in Slack's wording: a sentence and the JSON pointer of the value.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_SWITCHES = {"plain_text": "emoji", "mrkdwn": "verbatim"}


def error_message(sentence: str, at: str) -> str:
    """Format an error message as in `response_metadata.messages`."""
    return f"[ERROR] {sentence} [json-pointer:{at}]"


class Rule(Protocol):
    """Validate one value."""

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value at the JSON pointer `at`."""


Check = Callable[[Mapping[str, Any], str], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class String:
    """A string of `least` to `limit` characters that matches `pattern`."""

    limit: int
    least: int = 0
    pattern: str | None = None
    meaning: str = "must match the format of the field"

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, str):
            yield error_message("must provide a string", at)
            return
        if len(value) < self.least:
            yield error_message(f"must be more than {self.least - 1} characters", at)
        elif len(value) > self.limit:
            yield error_message(f"must be less than {self.limit + 1} characters", at)
        elif self.pattern and not re.fullmatch(self.pattern, value):
            yield error_message(self.meaning, at)


@dataclass(frozen=True, kw_only=True)
class Text:
    """A non-empty text object of one of the `kinds`."""

    limit: int
    kinds: tuple[str, ...] = ("plain_text", "mrkdwn")

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, dict):
            yield error_message("must provide an object", at)
            return
        kind = value.get("type")
        if kind not in self.kinds:
            yield error_message(f"must be one of: {', '.join(self.kinds)}", f"{at}/type")
            return
        known = {"type", "text", _SWITCHES[kind]}
        for name in sorted(value.keys() - known):
            yield error_message(f"invalid additional property: {name}", at)
        yield from String(limit=self.limit, least=1).examine(value.get("text"), f"{at}/text")


@dataclass(frozen=True)
class Flag:
    """A boolean."""

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, bool):
            yield error_message("must provide a boolean", at)


@dataclass(frozen=True, kw_only=True)
class Number:
    """An integer from `least` to `most`."""

    least: int
    most: int

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if isinstance(value, bool) or not isinstance(value, int):
            yield error_message("must provide an integer", at)
        elif not self.least <= value <= self.most:
            yield error_message(f"must be between {self.least} and {self.most}", at)


@dataclass(frozen=True)
class Choice:
    """One of several strings."""

    words: tuple[str, ...]

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if value not in self.words:
            yield error_message(f"must be one of: {', '.join(self.words)}", at)


@dataclass(frozen=True, kw_only=True)
class Many:
    """A list of `least` to `most` values, each valid by the rule `of`."""

    of: Rule
    most: int
    least: int = 1

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, list):
            yield error_message("must provide an array", at)
            return
        if len(value) < self.least:
            yield error_message(f"no fewer than {self.least} items required", at)
        if len(value) > self.most:
            yield error_message(f"no more than {self.most} items allowed", at)
        for index, item in enumerate(value):
            yield from self.of.examine(item, f"{at}/{index}")


@dataclass(frozen=True)
class Opaque:
    """A value of a Python type, without validation of its contents."""

    kind: type

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, self.kind):
            yield error_message(f"must provide a value of type {self.kind.__name__}", at)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object with required and optional fields, and checks across fields.

    Attributes:
        one_of: Fields of which at least one is required.
        tagged: Whether the object may have a `type` besides its fields.
    """

    required: Mapping[str, Rule] = field(default_factory=dict)
    optional: Mapping[str, Rule] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    tagged: bool = True

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, dict):
            yield error_message("must provide an object", at)
            return
        yield from self._examine_presence(value, at)
        rules = {**self.required, **self.optional}
        for name, inner in value.items():
            if name in rules:
                yield from rules[name].examine(inner, f"{at}/{name}")
        for check in self.checks:
            yield from check(value, at)

    def _examine_presence(self, value: Mapping[str, Any], at: str) -> Iterator[str]:
        for name in self.required:
            if value.get(name) is None:
                yield error_message(f"missing required field: {name}", at)
        if self.one_of and not any(value.get(name) for name in self.one_of):
            yield error_message(f"missing required field: {' or '.join(self.one_of)}", at)
        known = {*self.required, *self.optional, *(("type",) if self.tagged else ())}
        for name in sorted(value.keys() - known):
            yield error_message(f"invalid additional property: {name}", at)


@dataclass(frozen=True)
class Typed:
    """An object whose `type` selects its shape."""

    shapes: Mapping[str, Shape]

    def examine(self, value: object, at: str) -> Iterator[str]:
        """Yield the errors of the value."""
        if not isinstance(value, dict):
            yield error_message("must provide an object", at)
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            yield error_message("missing required field: type", at)
        elif kind not in self.shapes:
            yield error_message(f"unsupported type: {kind}", f"{at}/type")
        else:
            yield from self.shapes[kind].examine(value, at)
