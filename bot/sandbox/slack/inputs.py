"""Input values: `state.values` of a surface, and the checks of Slack's client before a submission."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bot.sandbox.slack.block_elements import TYPED, elements_of

Json = dict[str, Any]
State = dict[str, dict[str, Json]]

REQUIRED = "Please complete this required field."

# Element type: the field of its value, the field of its initial value, the empty value.
_FIELDS: dict[str, tuple[str, str, object]] = {
    "plain_text_input": ("value", "initial_value", None),
    "email_text_input": ("value", "initial_value", None),
    "url_text_input": ("value", "initial_value", None),
    "number_input": ("value", "initial_value", None),
    "static_select": ("selected_option", "initial_option", None),
    "radio_buttons": ("selected_option", "initial_option", None),
    "multi_static_select": ("selected_options", "initial_options", ()),
    "checkboxes": ("selected_options", "initial_options", ()),
    "users_select": ("selected_user", "initial_user", None),
    "multi_users_select": ("selected_users", "initial_users", ()),
    "multi_conversations_select": ("selected_conversations", "initial_conversations", ()),
    "conversations_select": ("selected_conversation", "initial_conversation", None),
    "channels_select": ("selected_channel", "initial_channel", None),
    "datepicker": ("selected_date", "initial_date", None),
    "timepicker": ("selected_time", "initial_time", None),
    "datetimepicker": ("selected_date_time", "initial_date_time", None),
}


def value_field(kind: str) -> str:
    """Return the field in which an element of this type has its value."""
    return _FIELDS[kind][0] if kind in _FIELDS else "selected_option"


def _stateful(blocks: Iterable[Json]) -> Iterator[tuple[Json, Json]]:
    for block in blocks:
        for element in elements_of(block):
            if element.get("type") in _FIELDS:
                yield block, element


def offered(element: Mapping[str, Any]) -> list[Json]:
    """Return all options of an element, including the options of its groups."""
    options = list(element.get("options") or [])
    for group in element.get("option_groups") or []:
        options.extend(group.get("options") or [])
    return options


def _still_offered(element: Json, value: object) -> bool:
    chosen = value if isinstance(value, list) else [value]
    options = offered(element)
    return not options or all(one in options for one in chosen if one is not None)


def _read(element: Json, given: Mapping[str, Any] | None) -> Json:
    name, initial, empty = _FIELDS[element["type"]]
    blank = list(empty) if isinstance(empty, tuple) else empty
    value = element.get(initial, blank)
    usable = given is not None and given.get("type", element["type"]) == element["type"]
    if usable and given is not None and name in given and _still_offered(element, given[name]):
        value = given[name] if given[name] not in ("", None) else blank
    return {"type": element["type"], name: value}


def state_of(blocks: Iterable[Json], typed: Mapping[str, Mapping[str, Any]]) -> State:
    """Return the state of a surface: the initial values, replaced by typed values with the same ids."""
    state: State = {}
    for block, element in _stateful(blocks):
        given = typed.get(block["block_id"], {}).get(element["action_id"])
        state.setdefault(block["block_id"], {})[element["action_id"]] = _read(element, given)
    return state


def input_ids(blocks: Iterable[Json]) -> frozenset[str]:
    """Return the block_ids that a submission's errors may name."""
    return frozenset(block["block_id"] for block in blocks if block.get("type") == "input")


def _text_length(element: Json, value: str) -> str | None:
    if len(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Please enter at most {element.get('max_length', 3000)} characters."
    return None


def _number(element: Json, value: str) -> str | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return "Please enter a number."
    if "." in value and not element["is_decimal_allowed"]:
        return "Please enter a whole number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return None


def _email(_element: Json, value: str) -> str | None:
    return None if re.fullmatch(r"\S+@\S+\.\S+", value) else "Please enter a valid email address."


def _url(_element: Json, value: str) -> str | None:
    return None if re.fullmatch(r"https?://\S+", value) else "Please enter a valid URL."


_TYPED_CHECKS: dict[str, Callable[[Json, str], str | None]] = {
    "plain_text_input": _text_length,
    "number_input": _number,
    "email_text_input": _email,
    "url_text_input": _url,
}


def _input_error(block: Json, element: Json, value: object) -> str | None:
    if value in (None, "", []):
        return None if block.get("optional") else REQUIRED
    if element["type"] in TYPED and isinstance(value, str):
        return _TYPED_CHECKS[element["type"]](element, value)
    return None


def client_side_errors(blocks: Iterable[Json], state: State) -> dict[str, str]:
    """Return the errors, by block_id, for which Slack's client does not send a submission."""
    errors: dict[str, str] = {}
    for block, element in _stateful(blocks):
        if block["type"] != "input":
            continue
        value = state[block["block_id"]][element["action_id"]][value_field(element["type"])]
        error = _input_error(block, element, value)
        if error is not None:
            errors[block["block_id"]] = error
    return errors
