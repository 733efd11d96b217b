"""Block Kit's interactive elements and their limits."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.slack.block_rules import (
    Choice,
    Flag,
    Many,
    Number,
    Opaque,
    Rule,
    Shape,
    String,
    Text,
    error_message,
)

Json = dict[str, Any]


def plain_text(limit: int) -> Text:
    """Return the rule of a plain text of at most `limit` characters."""
    return Text(limit=limit, kinds=("plain_text",))


ID = String(limit=255, least=1)
URL = String(limit=3000, least=1, pattern=r"[A-Za-z][A-Za-z0-9+.-]*:\S+", meaning="must be a valid URL")
_DECIMAL = String(limit=255, least=1, pattern=r"-?\d+(\.\d+)?", meaning="must be a number")
_DATE = String(limit=10, pattern=r"\d{4}-\d{2}-\d{2}", meaning="must be in the format of YYYY-MM-DD")
_TIME = String(limit=5, pattern=r"\d{2}:\d{2}", meaning="must be in the format of HH:mm")
_STYLE = Choice(("primary", "danger"))

CONFIRM = Shape(
    required={
        "title": plain_text(100),
        "text": Text(limit=300),
        "confirm": plain_text(30),
        "deny": plain_text(30),
    },
    optional={"style": _STYLE},
)


def _option(kinds: tuple[str, ...] = ("plain_text",), *, url: bool = False) -> Shape:
    text = Text(limit=75, kinds=kinds)
    optional: dict[str, Rule] = {"description": Text(limit=75, kinds=kinds)}
    if url:
        optional["url"] = URL
    return Shape(
        required={"text": text, "value": String(limit=150, least=1)},
        optional=optional,
    )


_OPTION = _option()
_RICH_OPTION = _option(("plain_text", "mrkdwn"))
_GROUP = Shape(required={"label": plain_text(75), "options": Many(of=_OPTION, most=100)})


def items_of(value: object) -> list[Any]:
    """Return the value when it is a list, and an empty list otherwise."""
    return value if isinstance(value, list) else []


def _offered(value: Mapping[str, Any]) -> list[object]:
    options = list(items_of(value.get("options")))
    for group in items_of(value.get("option_groups")):
        if isinstance(group, dict):
            options.extend(items_of(group.get("options")))
    return options


def _initial_is_offered(value: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield an error when an initial option is not exactly one of the offered options."""
    chosen = list(items_of(value.get("initial_options")))
    if "initial_option" in value:
        chosen.append(value["initial_option"])
    if any(option not in _offered(value) for option in chosen):
        yield error_message("initial option must match one of the options exactly", at)


def _one_kind_of_options(value: Mapping[str, Any], at: str) -> Iterator[str]:
    if value.get("options") is not None and value.get("option_groups") is not None:
        yield error_message("options and option_groups cannot both be given", at)


def _element(
    required: Mapping[str, Rule] | None = None,
    optional: Mapping[str, Rule] | None = None,
    *,
    one_of: tuple[str, ...] = (),
    confirm: bool = True,
    choice: bool = False,
) -> Shape:
    shared: dict[str, Rule] = {"action_id": ID, "focus_on_load": Flag()}
    if confirm:
        shared["confirm"] = CONFIRM
    return Shape(
        required=required or {},
        optional={**shared, **(optional or {})},
        one_of=one_of,
        checks=(_initial_is_offered, _one_kind_of_options) if choice else (),
    )


_PLACEHOLDER = {"placeholder": plain_text(150)}
_LISTS = {"options": Many(of=_OPTION, most=100), "option_groups": Many(of=_GROUP, most=100)}
_DISPATCH = {
    "dispatch_action_config": Shape(
        optional={
            "trigger_actions_on": Many(of=Choice(("on_enter_pressed", "on_character_entered")), most=2)
        }
    )
}
_MOST_SELECTED: dict[str, Rule] = {"max_selected_items": Number(least=1, most=100)}
_SOME_ID = String(limit=255, least=1)


def _picker(initial: str, rule: Rule, more: Mapping[str, Rule] | None = None) -> Shape:
    return _element(optional={**_PLACEHOLDER, initial: rule, **(more or {})})


def _typed(more: Mapping[str, Rule]) -> Shape:
    return _element(optional={**_PLACEHOLDER, **_DISPATCH, **more}, confirm=False)


_TYPED_TEXT: dict[str, Rule] = {
    "initial_value": String(limit=3000),
    "multiline": Flag(),
    "min_length": Number(least=0, most=3000),
    "max_length": Number(least=1, most=3000),
}

ELEMENTS: dict[str, Shape] = {
    "button": _element(
        {"text": plain_text(75)},
        {
            "value": String(limit=2000),
            "url": URL,
            "style": _STYLE,
            "accessibility_label": String(limit=75),
        },
    ),
    "static_select": _element(
        optional={**_PLACEHOLDER, **_LISTS, "initial_option": _OPTION},
        one_of=("options", "option_groups"),
        choice=True,
    ),
    "multi_static_select": _element(
        optional={
            **_PLACEHOLDER,
            **_LISTS,
            **_MOST_SELECTED,
            "initial_options": Many(of=_OPTION, most=100),
        },
        one_of=("options", "option_groups"),
        choice=True,
    ),
    "users_select": _picker("initial_user", _SOME_ID),
    "conversations_select": _picker(
        "initial_conversation",
        _SOME_ID,
        {
            "default_to_current_conversation": Flag(),
            "response_url_enabled": Flag(),
            "filter": Opaque(dict),
        },
    ),
    "channels_select": _picker("initial_channel", _SOME_ID, {"response_url_enabled": Flag()}),
    "multi_users_select": _picker("initial_users", Many(of=_SOME_ID, most=100, least=0), _MOST_SELECTED),
    "multi_conversations_select": _picker(
        "initial_conversations",
        Many(of=_SOME_ID, most=100, least=0),
        {**_MOST_SELECTED, "filter": Opaque(dict)},
    ),
    "overflow": _element({"options": Many(of=_option(url=True), most=5)}),
    "radio_buttons": _element(
        {"options": Many(of=_RICH_OPTION, most=10)}, {"initial_option": _RICH_OPTION}, choice=True
    ),
    "checkboxes": _element(
        {"options": Many(of=_RICH_OPTION, most=10)},
        {"initial_options": Many(of=_RICH_OPTION, most=10)},
        choice=True,
    ),
    "datepicker": _picker("initial_date", _DATE),
    "timepicker": _picker("initial_time", _TIME, {"timezone": String(limit=64, least=1)}),
    "datetimepicker": _element(optional={"initial_date_time": Number(least=10**9, most=10**10 - 1)}),
    "plain_text_input": _typed(_TYPED_TEXT),
    "email_text_input": _typed({"initial_value": String(limit=3000)}),
    "url_text_input": _typed({"initial_value": String(limit=3000)}),
    "number_input": Shape(
        required={"is_decimal_allowed": Flag()},
        optional={
            "action_id": ID,
            "focus_on_load": Flag(),
            **_PLACEHOLDER,
            **_DISPATCH,
            "initial_value": _DECIMAL,
            "min_value": _DECIMAL,
            "max_value": _DECIMAL,
        },
    ),
    "image": Shape(
        required={"alt_text": String(limit=2000, least=1)},
        optional={"image_url": URL, "slack_file": Opaque(dict)},
        one_of=("image_url", "slack_file"),
    ),
}

CHOICES = frozenset(
    {
        "static_select",
        "users_select",
        "conversations_select",
        "channels_select",
        "radio_buttons",
        "checkboxes",
        "datepicker",
        "timepicker",
        "datetimepicker",
    }
)
MULTI_CHOICES = frozenset({"multi_static_select", "multi_users_select", "multi_conversations_select"})
TYPED = frozenset({"plain_text_input", "email_text_input", "url_text_input", "number_input"})


def elements_of(block: Mapping[str, Any]) -> Iterator[Json]:
    """Yield the interactive elements of one block, in drawing order."""
    for name in ("accessory", "element"):
        if isinstance(block.get(name), dict):
            yield block[name]
    if block.get("type") == "actions":
        yield from (one for one in items_of(block.get("elements")) if isinstance(one, dict))
