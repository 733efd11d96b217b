"""Lenient readers for single fields, with the maximum lengths of the database and of Slack's screens."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bot.domain.money import parse_wire, payable, show
from bot.domain.subscription import (
    FREE_ORDER,
)
from bot.domain.text import (
    IDENTIFIER,
    LINK,
    NAME,
    SENTENCE,
    WORD,
    clean,
    whole,
)

MOST_SECONDS = 30 * 24 * 3600
"""The longest duration that is accepted: no grant is valid for longer."""


class UnusableAnswerError(ValueError):
    """The JSON lacks a value that the call needs."""


def line(most: int) -> BeforeValidator:
    """Read text as one line of at most `most` characters."""
    return BeforeValidator(lambda value: clean(value, most) if isinstance(value, str) else None)


def whole_id(most: int) -> BeforeValidator:
    """Read an id unchanged. A number is read as its digits. An id above `most` bytes is read as None."""

    def read_id(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**most else None
        return whole(value, most) if isinstance(value, str) else None

    return BeforeValidator(read_id)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


def read_price(value: object) -> str | None:
    """Read a displayed price: `20`, `$20`, or a number."""
    amount = parse_wire(value)
    if amount is not None:
        return show(amount)
    return clean(value, _PRICE) if isinstance(value, str) else None


def read_cents(value: object) -> int | None:
    """Read a whole number of cents, also written as `4630.0`; None if negative or not whole."""
    amount = parse_wire(value)
    return int(amount) if amount is not None and amount >= 0 and amount == int(amount) else None


def read_order(value: object) -> int:
    """Read a plan's position; a value that is not a whole number is read as the free plan's."""
    amount = parse_wire(value)
    return FREE_ORDER if amount is None or amount != int(amount) else int(amount)


def read_seconds(value: object) -> int | None:
    """Read a duration in whole seconds; None if it is no such number or above MOST_SECONDS."""
    amount = None if isinstance(value, str) else parse_wire(value)
    usable = amount is not None and 0 <= amount <= MOST_SECONDS and amount == int(amount)
    return int(amount) if amount is not None and usable else None


def read_enabled(value: object) -> bool:
    """Read whether a plan is offered; only `false` means that it is not."""
    return value if isinstance(value, bool) else True


def read_objects(value: object) -> list[object]:
    """Return the objects of a list; other elements are left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _amounts(value: object) -> list[Decimal]:
    parsed = (parse_wire(each) for each in value) if isinstance(value, list) else ()
    return [amount for amount in dict.fromkeys(parsed) if amount is not None and payable(amount)]


def parse_moment(value: object) -> datetime | None:
    """Read an ISO 8601 date or moment as UTC; None if it is unreadable."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _date(value: object) -> date | None:
    moment = parse_moment(value)
    return moment.date() if moment else None


Name = Annotated[str | None, line(NAME)]
Sentence = Annotated[str | None, line(SENTENCE)]
Word = Annotated[str | None, line(WORD)]
"""A short code (a kind, a status, a reason), or a card's brand or digits."""
Link = Annotated[str | None, whole_id(LINK)]
Identifier = Annotated[str | None, whole_id(IDENTIFIER)]
Required = Annotated[str, whole_id(IDENTIFIER)]
"""A required id: without it the whole answer is unusable."""
Secret = Annotated[str, whole_id(16_000)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Money = Annotated[Decimal | None, BeforeValidator(parse_wire)]
Amounts = Annotated[list[Decimal], BeforeValidator(_amounts)]
Day = Annotated[date | None, BeforeValidator(_date)]
_PRICE = 20

_Model = TypeVar("_Model", bound="Wire")
_Nested = TypeVar("_Nested")
Optional = Annotated[_Nested | None, BeforeValidator(_object)]


class Wire(BaseModel):
    """A JSON object with camelCase names; unknown names are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class SnakeWire(Wire):
    """A JSON object with snake_case names (the OAuth routes)."""

    model_config = ConfigDict(alias_generator=None, frozen=True)


def read(model: type[_Model], body: object) -> _Model:
    """Validate a JSON object.

    Raises:
        UnusableAnswerError: a required field is missing or malformed. The text contains no values.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise UnusableAnswerError(f"{model.__name__}: {fields}") from None
