"""Block Kit's limits: one table, and the judgement of messages and views by it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
    Typed,
    complaint,
)

Json = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250 * 1024
MESSAGE_TEXT = 40_000
UPDATE_TEXT = 4_000
MARKDOWN_TEXT = 12_000


def _plain(limit: int) -> Text:
    return Text(limit=limit, kinds=("plain_text",))


_ID = String(limit=255, least=1)
_URL = String(limit=3000, least=1, pattern=r"[A-Za-z][A-Za-z0-9+.-]*:\S+", meaning="must be a valid URL")
_DECIMAL = String(limit=255, least=1, pattern=r"-?\d+(\.\d+)?", meaning="must be a number")
_DATE = String(limit=10, pattern=r"\d{4}-\d{2}-\d{2}", meaning="must be in the format of YYYY-MM-DD")
_TIME = String(limit=5, pattern=r"\d{2}:\d{2}", meaning="must be in the format of HH:mm")
_STYLE = Choice(("primary", "danger"))

CONFIRM = Shape(
    required={
        "title": _plain(100),
        "text": Text(limit=300),
        "confirm": _plain(30),
        "deny": _plain(30),
    },
    optional={"style": _STYLE},
)


def _option(kinds: tuple[str, ...] = ("plain_text",), *, url: bool = False) -> Shape:
    text = Text(limit=75, kinds=kinds)
    optional: dict[str, Rule] = {"description": Text(limit=75, kinds=kinds)}
    if url:
        optional["url"] = _URL
    return Shape(
        required={"text": text, "value": String(limit=150, least=1)},
        optional=optional,
    )


_OPTION = _option()
_RICH_OPTION = _option(("plain_text", "mrkdwn"))
_GROUP = Shape(required={"label": _plain(75), "options": Many(of=_OPTION, most=100)})


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _offered(value: Mapping[str, Any]) -> list[object]:
    options = list(_items(value.get("options")))
    for group in _items(value.get("option_groups")):
        if isinstance(group, dict):
            options.extend(_items(group.get("options")))
    return options


def _initial_is_offered(value: Mapping[str, Any], at: str) -> Iterator[str]:
    """An initial choice must be one of the offered options, to the letter."""
    chosen = list(_items(value.get("initial_options")))
    if "initial_option" in value:
        chosen.append(value["initial_option"])
    if any(option not in _offered(value) for option in chosen):
        yield complaint("initial option must match one of the options exactly", at)


def _one_kind_of_options(value: Mapping[str, Any], at: str) -> Iterator[str]:
    if value.get("options") is not None and value.get("option_groups") is not None:
        yield complaint("options and option_groups cannot both be given", at)


def _element(
    required: Mapping[str, Rule] | None = None,
    optional: Mapping[str, Rule] | None = None,
    *,
    one_of: tuple[str, ...] = (),
    confirm: bool = True,
    choice: bool = False,
) -> Shape:
    shared: dict[str, Rule] = {"action_id": _ID, "focus_on_load": Flag()}
    if confirm:
        shared["confirm"] = CONFIRM
    return Shape(
        required=required or {},
        optional={**shared, **(optional or {})},
        one_of=one_of,
        checks=(_initial_is_offered, _one_kind_of_options) if choice else (),
    )


_PLACEHOLDER = {"placeholder": _plain(150)}
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
        {"text": _plain(75)},
        {
            "value": String(limit=2000),
            "url": _URL,
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
            "action_id": _ID,
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
        optional={"image_url": _URL, "slack_file": Opaque(dict)},
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
MULTI_CHOICES = frozenset({"multi_static_select", "multi_users_select"})
TYPED = frozenset({"plain_text_input", "email_text_input", "url_text_input", "number_input"})
STATEFUL = CHOICES | MULTI_CHOICES | TYPED


def _some(kinds: frozenset[str]) -> Typed:
    return Typed({kind: shape for kind, shape in ELEMENTS.items() if kind in kinds})


_IN_SECTION = _some((CHOICES - {"datetimepicker"}) | MULTI_CHOICES | {"button", "overflow", "image"})
_IN_ACTIONS = _some(CHOICES | {"button", "overflow"})
_IN_INPUT = _some(CHOICES | MULTI_CHOICES | TYPED)
_CONTEXT_TEXT = {
    kind: Shape(
        required={"text": String(limit=3000, least=1)},
        optional={"emoji" if kind == "plain_text" else "verbatim": Flag()},
    )
    for kind in ("plain_text", "mrkdwn")
}
_IN_CONTEXT = Typed({**_CONTEXT_TEXT, "image": ELEMENTS["image"]})
_CELL = Typed(
    {
        "raw_text": Shape(required={"text": String(limit=3000, least=1)}),
        "raw_number": Shape(required={"value": Opaque(object)}, optional={"text": Opaque(str)}),
        "rich_text": Shape(required={"elements": Opaque(list)}, optional={"block_id": _ID}),
    }
)


def _block(
    required: Mapping[str, Rule] | None = None,
    optional: Mapping[str, Rule] | None = None,
    one_of: tuple[str, ...] = (),
) -> Shape:
    return Shape(required=required or {}, optional={"block_id": _ID, **(optional or {})}, one_of=one_of)


BLOCKS: dict[str, Shape] = {
    "section": _block(
        optional={
            "text": Text(limit=3000),
            "fields": Many(of=Text(limit=2000), most=10),
            "accessory": _IN_SECTION,
            "expand": Flag(),
        },
        one_of=("text", "fields"),
    ),
    "divider": _block(),
    "header": _block({"text": _plain(150)}),
    "context": _block({"elements": Many(of=_IN_CONTEXT, most=10)}),
    "actions": _block({"elements": Many(of=_IN_ACTIONS, most=25)}),
    "input": _block(
        {"label": _plain(2000), "element": _IN_INPUT},
        {"hint": _plain(2000), "optional": Flag(), "dispatch_action": Flag()},
    ),
    "image": _block(
        {"alt_text": String(limit=2000, least=1)},
        {"image_url": _URL, "slack_file": Opaque(dict), "title": _plain(2000)},
        ("image_url", "slack_file"),
    ),
    "rich_text": _block({"elements": Opaque(list)}),
    "markdown": _block({"text": String(limit=MARKDOWN_TEXT, least=1)}),
    "alert": _block(
        {"text": Text(limit=3000)},
        {"level": Choice(("default", "info", "warning", "error", "success"))},
    ),
    "table": _block(
        {"rows": Many(of=Many(of=_CELL, most=20), most=100)},
        {"column_settings": Many(of=Opaque(object), most=20)},
    ),
}

_EVERYWHERE = frozenset(BLOCKS) - {"markdown", "alert", "table"}


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What one kind of surface may carry."""

    blocks: frozenset[str]
    most: int


SURFACES = {
    "message": Surface(blocks=_EVERYWHERE | {"markdown", "table"}, most=MESSAGE_BLOCKS),
    "home": Surface(blocks=_EVERYWHERE | {"table"}, most=VIEW_BLOCKS),
    "modal": Surface(blocks=_EVERYWHERE | {"alert"}, most=VIEW_BLOCKS),
}

_VIEW_FIELDS: dict[str, Rule] = {
    "private_metadata": String(limit=3000),
    "callback_id": String(limit=255),
    "external_id": String(limit=255),
}
VIEWS = {
    "home": Shape(required={"blocks": Opaque(list)}, optional=_VIEW_FIELDS),
    "modal": Shape(
        required={"title": _plain(24), "blocks": Opaque(list)},
        optional={
            **_VIEW_FIELDS,
            "submit": _plain(24),
            "close": _plain(24),
            "clear_on_close": Flag(),
            "notify_on_close": Flag(),
            "submit_disabled": Flag(),
        },
    ),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why Slack refuses a payload: its error code and the complaints behind it."""

    error: str
    messages: tuple[str, ...] = ()


def elements_of(block: Mapping[str, Any]) -> Iterator[Json]:
    """Yields the interactive elements of one block, in the order they are drawn."""
    for name in ("accessory", "element"):
        if isinstance(block.get(name), dict):
            yield block[name]
    if block.get("type") == "actions":
        yield from (one for one in _items(block.get("elements")) if isinstance(one, dict))


def _duplicates(parts: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    values = [part[name] for part in parts if isinstance(part.get(name), str)]
    return sorted({value for value in values if values.count(value) > 1})


def _examine_ids(blocks: list[Json], at: str) -> Iterator[str]:
    for value in _duplicates(blocks, "block_id"):
        yield complaint(f"block_id {value} already exists", at)
    for index, block in enumerate(blocks):
        for value in _duplicates(elements_of(block), "action_id"):
            yield complaint(f"action_id {value} already exists in the block", f"{at}/{index}")


def _examine_once_per_surface(blocks: list[Json], at: str) -> Iterator[str]:
    if sum(block.get("type") == "table" for block in blocks) > 1:
        yield complaint("only one table allowed", at)
    texts = [block.get("text") for block in blocks if block.get("type") == "markdown"]
    if sum(len(text) for text in texts if isinstance(text, str)) > MARKDOWN_TEXT:
        yield complaint(f"all markdown together must be less than {MARKDOWN_TEXT + 1}", at)
    elements = [element for block in blocks for element in elements_of(block)]
    if sum(bool(element.get("focus_on_load")) for element in elements) > 1:
        yield complaint("only one element may have focus_on_load", at)


def _examine_blocks(blocks: object, surface: Surface, at: str) -> Iterator[str]:
    allowed = Typed({kind: BLOCKS[kind] for kind in sorted(surface.blocks)})
    yield from Many(of=allowed, most=surface.most, least=0).examine(blocks, at)
    if not isinstance(blocks, list):
        return
    known = [block for block in blocks if isinstance(block, dict)]
    yield from _examine_ids(known, at)
    yield from _examine_once_per_surface(known, at)


def judge_blocks(blocks: object) -> Verdict | None:
    """Judges the blocks of a message; None when Slack would take them."""
    if not isinstance(blocks, list):
        return Verdict(error="invalid_blocks_format")
    messages = tuple(_examine_blocks(blocks, SURFACES["message"], "/blocks"))
    return Verdict(error="invalid_blocks", messages=messages) if messages else None


def judge_text(text: object, limit: int) -> Verdict | None:
    """Judges the top-level text of a message; None when Slack would take it."""
    if not isinstance(text, str):
        return Verdict(error="invalid_arguments", messages=(complaint("must be a string", "/text"),))
    return Verdict(error="msg_too_long") if len(text) > limit else None


def judge_view(view: object, kinds: tuple[str, ...] = ("modal", "home")) -> Verdict | None:
    """Judges a view; None when Slack would take it.

    Args:
        view: What the app sent.
        kinds: The view types the method takes.
    """
    if not isinstance(view, dict):
        missing = complaint("missing required field: view", "")
        return Verdict(error="invalid_arguments", messages=(missing,))
    if view.get("type") not in kinds:
        wrong = complaint(f"must be one of: {', '.join(kinds)}", "/view/type")
        return Verdict(error="invalid_arguments", messages=(wrong,))
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        return Verdict(error="view_too_large")
    messages = tuple(_examine_view(view))
    return Verdict(error="invalid_arguments", messages=messages) if messages else None


def _examine_view(view: Json) -> Iterator[str]:
    yield from VIEWS[view["type"]].examine(view, "/view")
    blocks = view.get("blocks")
    yield from _examine_blocks(blocks, SURFACES[view["type"]], "/view/blocks")
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in _items(blocks))
    if view["type"] == "modal" and has_input and not view.get("submit"):
        yield complaint("missing required field: submit (the view has an input)", "/view/submit")
