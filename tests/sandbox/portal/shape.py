"""Compare a JSON value with a description of its shape, field by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

Kind = Callable[[object], bool]

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?")
_MONEY = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


def text(value: object) -> bool:
    return isinstance(value, str)


def flag(value: object) -> bool:
    return isinstance(value, bool)


def nothing(value: object) -> bool:
    return value is None


def number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def money(value: object) -> bool:
    """Return whether the value is a JSON number or a decimal string."""
    return number(value) or (isinstance(value, str) and _MONEY.fullmatch(value) is not None)


def instant(value: object) -> bool:
    return isinstance(value, str) and _INSTANT.fullmatch(value) is not None


def one_of(*words: str) -> Kind:
    return lambda value: value in words


def mismatches(value: object, shape: object, path: str = "") -> list[str]:
    """Return the differences between the value and the shape.

    A shape is a kind, a tuple of shapes of which one must fit, a list with the shape of every item,
    or a mapping of field names. A name that ends in `?` may be absent; a name that is not in the
    mapping must not be there.
    """
    if isinstance(shape, tuple):
        tried = [mismatches(value, each, path) for each in shape]
        return [] if [] in tried else min(tried, key=len)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [
            wrong for at, each in enumerate(value) for wrong in mismatches(each, shape[0], f"{path}[{at}]")
        ]
    if isinstance(shape, Mapping):
        return _object_mismatches(value, shape, path)
    assert callable(shape)
    return [] if shape(value) else [f"{path}: {value!r}"]


def _object_mismatches(value: object, shape: Mapping[str, object], path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    fields = {name.removesuffix("?"): each for name, each in shape.items()}
    wrong = [f"{path}.{name}: not in the contract" for name in value.keys() - fields.keys()]
    wrong += [f"{path}.{name}: missing" for name in shape if name[-1] != "?" and name not in value]
    for name in value.keys() & fields.keys():
        wrong += mismatches(value[name], fields[name], f"{path}.{name}")
    return wrong
