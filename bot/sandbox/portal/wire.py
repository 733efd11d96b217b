"""The formats on the wire: exact JSON, decimal strings, ISO dates, forms.

RepeatedFieldError       a form has a field twice
"""

from __future__ import annotations

import math
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import simplejson
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

EXACT = Context(prec=120)
"""The decimal context for exact sums of money."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST_PLAIN = 20
_SMALLEST_PLAIN = -6


class RepeatedFieldError(ValueError):
    """A form has the field `name` twice, which RFC 6749, section 3.2, forbids."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is there twice")
        self.name = name


class ExactJSONResponse(Response):
    """A JSON response in which a `Decimal` is a number with all its digits."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Render `content` as JSON. Refuse floats, because they are not exact."""
        return dump_json(content).encode()


def dump_json(content: object) -> str:
    """Return the JSON text of dicts, lists, strings, integers and `Decimal`.

    A lone surrogate becomes a JSON escape, because UTF-8 cannot encode it.
    """
    text = simplejson.dumps(_numbers_as_text(content), ensure_ascii=False, separators=(",", ":"))
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def load_json(text: bytes) -> Any:  # noqa: ANN401 any JSON value
    """Parse JSON text with fractions as `Decimal`.

    Raises:
        ValueError: The text is not valid JSON. NaN and Infinity are invalid.
    """
    try:
        return simplejson.loads(
            text.decode(), parse_float=_exact, parse_constant=_refuse_constant, allow_nan=False
        )
    except RecursionError:
        raise ValueError("the JSON is nested out of all proportion") from None


def decimal_string(amount: Decimal) -> str:
    """Return the shortest exact decimal string, e.g. `142.5`, `-1e-22`, `1e+25`."""
    if amount == 0:
        return "0"
    if _needs_exponent(amount):
        return str(amount.normalize(EXACT)).lower()
    plain = format(amount, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def money(amount: Decimal, *, as_number: bool = False) -> Decimal | str:
    """Return an amount for the billing calls: a decimal string or a JSON number."""
    return amount if as_number else decimal_string(amount)


def whole_or_decimal(number: object) -> Decimal | None:
    """Return a JSON number as `Decimal`, or None for another value or a boolean."""
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        return None
    return Decimal(number)


def sum_of(*amounts: Decimal) -> Decimal:
    """Return the exact sum."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def iso_instant(moment: float) -> str:
    """Return a time in Unix seconds as `2026-07-24T11:05:01.000Z`."""
    whole = datetime.fromtimestamp(moment, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}Z"


def whole_seconds(seconds: float) -> str:
    """Return a duration for `Retry-After`, rounded up to at least one second."""
    return str(max(1, math.ceil(seconds)))


def base64url(raw: bytes) -> str:
    """Return unpadded URL-safe base64, as in JWTs."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a URL-encoded form. The last of equal names wins."""
    return dict(await _fields(request))


async def strict_form_of(request: Request) -> dict[str, str]:
    """Return the fields of a URL-encoded form.

    Raises:
        RepeatedFieldError: A field occurs twice.
    """
    form: dict[str, str] = {}
    for name, value in await _fields(request):
        if name in form:
            raise RepeatedFieldError(name)
        form[name] = value
    return form


async def _fields(request: Request) -> list[tuple[str, str]]:
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        return []
    return parse_qsl(text, keep_blank_values=True)


def _needs_exponent(amount: Decimal) -> bool:
    """Return whether JavaScript, the live portal's language, writes the amount with an exponent."""
    exponent = amount.as_tuple().exponent
    rounded = isinstance(exponent, int) and exponent > 0
    return (rounded and amount.adjusted() > _LARGEST_PLAIN) or amount.adjusted() < _SMALLEST_PLAIN


def _exact(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:
        raise ValueError("the number is out of all proportion") from None


def _refuse_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is not JSON")


def _numbers_as_text(value: object) -> object:
    """Return the value with each `Decimal` as a raw JSON number. Refuse floats."""
    if isinstance(value, float):
        raise TypeError("a float would not be exact")
    if isinstance(value, Decimal):
        return simplejson.RawJSON(str(value).lower())
    if isinstance(value, dict):
        return {name: _numbers_as_text(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers_as_text(item) for item in value]
    return value
