"""How values travel: JSON without a float in between, decimal strings, ISO dates, form bodies."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import simplejson
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request


class ExactJSONResponse(Response):
    """JSON in which a `Decimal` becomes a number with every one of its digits."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Write `content`; a float is refused, because money must never have been one."""
        return dump_json(content).encode()


def dump_json(content: object) -> str:
    """JSON text of dicts, lists, strings, whole numbers and `Decimal`."""
    _refuse_floats(content)
    return simplejson.dumps(content, use_decimal=True, ensure_ascii=False, separators=(",", ":"))


def load_json(text: bytes) -> Any:  # noqa: ANN401 any JSON value
    """What the JSON text says, with every fraction as `Decimal`.

    Raises:
        ValueError: The text is not JSON; NaN and Infinity are not.
    """
    try:
        return simplejson.loads(
            text.decode(), parse_float=_exact, parse_constant=_refuse_constant, allow_nan=False
        )
    except RecursionError:
        raise ValueError("the JSON is nested out of all proportion") from None


def decimal_string(amount: Decimal) -> str:
    """The contract's money: as many places as needed and no more, e.g. `142.5`."""
    plain = format(amount, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def whole_or_decimal(number: object) -> Decimal | None:
    """The JSON number as `Decimal`; None for anything else, a boolean too."""
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        return None
    return Decimal(number)


def iso_instant(moment: float) -> str:
    """The moment (Unix seconds) as `2026-07-24T11:05:01.000Z`."""
    whole = datetime.fromtimestamp(moment, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}Z"


def whole_seconds(seconds: float) -> str:
    """A span for `Retry-After`: rounded up, at least one second."""
    return str(max(1, math.ceil(seconds)))


def base64url(raw: bytes) -> str:
    """The unpadded URL-safe form that JWTs are made of."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; the last of equal names counts, bad bytes give none."""
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        return {}
    return dict(parse_qsl(text, keep_blank_values=True))


def _exact(number: str) -> Decimal:
    try:
        return Decimal(number)
    except InvalidOperation:
        raise ValueError("the number is out of all proportion") from None


def _refuse_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is not JSON")


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a float would not be exact")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
