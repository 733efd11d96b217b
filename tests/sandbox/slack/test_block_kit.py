"""The limits of Block Kit, each with one broken rule."""

from typing import Any

import pytest

from bot.sandbox.slack.validation import validate_blocks, validate_text, validate_view

Json = dict[str, Any]


def plain(text: str = "x") -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> Json:
    return {"type": "mrkdwn", "text": text}


def button(**more: object) -> Json:
    return {"type": "button", "action_id": "go", "text": plain("Go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def section(**more: object) -> Json:
    return {"type": "section", "text": mrkdwn(), **more}


def options(count: int, **more: object) -> list[Json]:
    return [{"text": plain(f"option {n}"), "value": f"{n}", **more} for n in range(count)]


def select(**more: object) -> Json:
    return {"type": "static_select", "action_id": "pick", "options": options(2), **more}


def radio(**more: object) -> Json:
    return {"type": "radio_buttons", "action_id": "pick", "options": options(2), **more}


def field(element: Json | None = None, **more: object) -> Json:
    typed = element or {"type": "plain_text_input", "action_id": "typed"}
    return {"type": "input", "label": plain(), "element": typed, **more}


def number(**more: object) -> Json:
    return {"type": "number_input", "action_id": "n", "is_decimal_allowed": True, **more}


def confirm(**more: object) -> Json:
    return {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain(), **more}


def modal(*blocks: Json, **more: object) -> Json:
    return {
        "type": "modal",
        "title": plain("Add funds"),
        "submit": plain("Pay"),
        "blocks": list(blocks),
        **more,
    }


def home(*blocks: Json, **more: object) -> Json:
    return {"type": "home", "blocks": list(blocks), **more}


def table(rows: int = 1, columns: int = 1) -> Json:
    return {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": "x"}] * columns for _ in range(rows)],
    }


FITTING_BLOCKS: dict[str, Json] = {
    "a section of 3000 characters": section(text=mrkdwn("x" * 3000)),
    "ten fields": {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
    "a section with a button": section(accessory=button()),
    "a verbatim text": section(text={**mrkdwn(), "verbatim": True}),
    "a header of 150 characters": {"type": "header", "text": plain("x" * 150)},
    "a divider": {"type": "divider", "block_id": "line"},
    "ten context elements": {"type": "context", "elements": [mrkdwn()] * 10},
    "a full confirm dialog": actions(
        button(
            confirm=confirm(
                title=plain("x" * 100),
                text=mrkdwn("x" * 300),
                confirm=plain("x" * 30),
                deny=plain("x" * 30),
                style="danger",
            )
        )
    ),
    "a long button": actions(
        button(text=plain("x" * 75), value="x" * 2000, url="https://example.com", style="primary")
    ),
    "a hundred options": actions(select(options=options(100))),
    "an initial option that is offered": actions(select(initial_option=options(2)[1])),
    "ten radio buttons": actions(radio(options=options(10))),
    "an overflow menu of five": actions({"type": "overflow", "action_id": "more", "options": options(5)}),
    "an image": {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
    "a table": table(100, 20),
    "markdown": {"type": "markdown", "text": "x" * 12_000},
    "an input": field(optional=True, hint=plain(), dispatch_action=True),
    "rich text": {"type": "rich_text", "elements": []},
}


@pytest.mark.parametrize("name", FITTING_BLOCKS)
def test_a_block_at_its_limit_is_accepted(name: str) -> None:
    assert validate_blocks([FITTING_BLOCKS[name]]) is None


BROKEN_BLOCKS: dict[str, tuple[list[Any], str]] = {
    "51 blocks": ([section()] * 51, "no more than 50 items"),
    "a block that is no object": (["text"], "must provide an object"),
    "a block without type": ([{"text": mrkdwn()}], "missing required field: type"),
    "an unknown block": ([{"type": "banner"}], "unsupported type: banner"),
    "an alert in a message": ([{"type": "alert", "text": mrkdwn()}], "unsupported type: alert"),
    "an unknown property": ([section(colour="red")], "invalid additional property: colour"),
    "a section without text": ([{"type": "section"}], "missing required field: text or fields"),
    "a section of 3001": ([section(text=mrkdwn("x" * 3001))], "less than 3001 characters"),
    "an empty text": ([section(text=mrkdwn(""))], "more than 0 characters"),
    "a text that is a number": ([section(text={"type": "mrkdwn", "text": 5})], "provide a string"),
    "a text that is a string": ([section(text="x")], "must provide an object"),
    "an unknown text kind": ([section(text={"type": "html", "text": "x"})], "must be one of"),
    "emoji on mrkdwn": ([section(text={**mrkdwn(), "emoji": True})], "additional property: emoji"),
    "eleven fields": ([{"type": "section", "fields": [mrkdwn()] * 11}], "no more than 10 items"),
    "no fields": ([{"type": "section", "fields": []}], "missing required field"),
    "a field of 2001": ([section(fields=[mrkdwn("x" * 2001)])], "less than 2001"),
    "a header of 151": ([{"type": "header", "text": plain("x" * 151)}], "less than 151"),
    "a header in mrkdwn": ([{"type": "header", "text": mrkdwn()}], "must be one of: plain_text"),
    "eleven context elements": (
        [{"type": "context", "elements": [mrkdwn()] * 11}],
        "no more than 10 items",
    ),
    "a button in a context": (
        [{"type": "context", "elements": [button()]}],
        "unsupported type: button",
    ),
    "26 actions": (
        [actions(*[button(action_id=f"{n}") for n in range(26)])],
        "no more than 25 items",
    ),
    "no actions": ([actions()], "no fewer than 1 items"),
    "a text input in actions": (
        [actions({"type": "plain_text_input", "action_id": "t"})],
        "unsupported type: plain_text_input",
    ),
    "a multi select in actions": (
        [actions({"type": "multi_static_select", "action_id": "t", "options": options(1)})],
        "unsupported type",
    ),
    "button text of 76": ([actions(button(text=plain("x" * 76)))], "less than 76"),
    "button text in mrkdwn": ([actions(button(text=mrkdwn()))], "must be one of: plain_text"),
    "button without text": ([actions({"type": "button"})], "missing required field: text"),
    "button value of 2001": ([actions(button(value="x" * 2001))], "less than 2001"),
    "button value that is a number": ([actions(button(value=50))], "must provide a string"),
    "button url of 3001": ([actions(button(url="https://" + "x" * 2993))], "less than 3001"),
    "button url that is none": ([actions(button(url="example"))], "must be a valid URL"),
    "button style": ([actions(button(style="green"))], "must be one of: primary, danger"),
    "action_id of 256": ([actions(button(action_id="x" * 256))], "less than 256"),
    "block_id of 256": ([section(block_id="x" * 256)], "less than 256"),
    "the same block_id twice": (
        [section(block_id="a"), section(block_id="a")],
        "block_id a already exists",
    ),
    "the same action_id twice": ([actions(button(), button())], "action_id go already exists"),
    "101 options": ([actions(select(options=options(101)))], "no more than 100 items"),
    "no options": ([actions(select(options=[]))], "missing required field: options"),
    "options and groups": (
        [actions(select(option_groups=[{"label": plain(), "options": options(1)}]))],
        "cannot both be given",
    ),
    "option text of 76": (
        [actions(select(options=options(1, text=plain("x" * 76))))],
        "less than 76",
    ),
    "option value of 151": (
        [actions(select(options=options(1, value="x" * 151)))],
        "less than 151",
    ),
    "option value that is a number": (
        [actions(select(options=options(1, value=5)))],
        "must provide a string",
    ),
    "option text in mrkdwn": (
        [actions(select(options=options(1, text=mrkdwn())))],
        "must be one of: plain_text",
    ),
    "an initial option not offered": (
        [actions(select(initial_option={"text": plain("other"), "value": "o"}))],
        "initial option must match",
    ),
    "placeholder of 151": ([actions(select(placeholder=plain("x" * 151)))], "less than 151"),
    "eleven radio buttons": ([actions(radio(options=options(11)))], "no more than 10 items"),
    "an overflow menu of six": (
        [actions({"type": "overflow", "options": options(6)})],
        "no more than 5 items",
    ),
    "confirm title of 101": (
        [actions(button(confirm=confirm(title=plain("x" * 101))))],
        "less than 101",
    ),
    "confirm text of 301": (
        [actions(button(confirm=confirm(text=plain("x" * 301))))],
        "less than 301",
    ),
    "confirm button of 31": (
        [actions(button(confirm=confirm(confirm=plain("x" * 31))))],
        "less than 31",
    ),
    "deny button of 31": ([actions(button(confirm=confirm(deny=plain("x" * 31))))], "less than 31"),
    "confirm without deny": (
        [actions(button(confirm={"title": plain(), "text": plain(), "confirm": plain()}))],
        "missing required field: deny",
    ),
    "two tables": ([table(), table()], "only one table"),
    "101 rows": ([table(rows=101)], "no more than 100 items"),
    "21 columns": ([table(columns=21)], "no more than 20 items"),
    "an image without alt_text": (
        [{"type": "image", "image_url": "https://example.com"}],
        "missing required field: alt_text",
    ),
    "too much markdown": ([{"type": "markdown", "text": "x" * 7000}] * 2, "all markdown together"),
}


@pytest.mark.parametrize("name", BROKEN_BLOCKS)
def test_a_message_over_a_limit_is_refused_with_the_reason(name: str) -> None:
    blocks, reason = BROKEN_BLOCKS[name]
    failure = validate_blocks(blocks)
    assert failure is not None
    assert failure.error == "invalid_blocks"
    assert reason in " ".join(failure.messages)
    assert "[json-pointer:/blocks" in failure.messages[0]


def test_blocks_that_are_not_a_list_are_refused() -> None:
    failure = validate_blocks({"type": "section"})
    assert failure is not None
    assert failure.error == "invalid_blocks_format"


@pytest.mark.parametrize(
    "view",
    [
        modal(),
        modal(field(), private_metadata="x" * 3000, callback_id="c", external_id="e"),
        modal(section(), submit=None) | {"submit": plain("x" * 24)},
        modal(*[section()] * 100, title=plain("x" * 24), close=plain("x" * 24)),
        modal({"type": "alert", "text": mrkdwn(), "level": "warning"}),
        modal(field(number(min_value="1", max_value="99.5", initial_value="5"))),
        home(*[section()] * 100),
        home(table()),
    ],
)
def test_a_view_within_its_limits_is_accepted(view: Json) -> None:
    assert validate_view(view) is None


BROKEN_VIEWS: dict[str, tuple[Any, str]] = {
    "no view": (None, "missing required field: view"),
    "an unknown type": ({"type": "page"}, "must be one of: modal, home"),
    "no title": ({"type": "modal", "blocks": []}, "missing required field: title"),
    "no blocks": ({"type": "modal", "title": plain()}, "missing required field: blocks"),
    "a title of 25": (modal(title=plain("x" * 25)), "less than 25"),
    "a title in mrkdwn": (modal(title=mrkdwn()), "must be one of: plain_text"),
    "a submit of 25": (modal(submit=plain("x" * 25)), "less than 25"),
    "a close of 25": (modal(close=plain("x" * 25)), "less than 25"),
    "metadata of 3001": (modal(private_metadata="x" * 3001), "less than 3001"),
    "metadata that is an object": (modal(private_metadata={"a": 1}), "must provide a string"),
    "callback_id of 256": (modal(callback_id="x" * 256), "less than 256"),
    "external_id of 256": (modal(external_id="x" * 256), "less than 256"),
    "101 blocks": (modal(*[section()] * 101), "no more than 100 items"),
    "101 blocks at home": (home(*[section()] * 101), "no more than 100 items"),
    "a table in a modal": (modal(table()), "unsupported type: table"),
    "an alert at home": (home({"type": "alert", "text": mrkdwn()}), "unsupported type: alert"),
    "a title at home": (home(title=plain()), "invalid additional property: title"),
    "an input without submit": (
        {"type": "modal", "title": plain(), "blocks": [field()]},
        "missing required field: submit",
    ),
    "a label of 2001": (modal(field(label=plain("x" * 2001))), "less than 2001"),
    "a hint of 2001": (modal(field(hint=plain("x" * 2001))), "less than 2001"),
    "an input without label": (
        modal({"type": "input", "element": radio()}),
        "missing required field: label",
    ),
    "a button in an input": (modal(field(button())), "unsupported type: button"),
    "a number input without is_decimal_allowed": (
        modal(field({"type": "number_input"})),
        "missing required field: is_decimal_allowed",
    ),
    "a number as min_value": (modal(field(number(min_value=1))), "must provide a string"),
    "a word as max_value": (modal(field(number(max_value="many"))), "must be a number"),
    "the focus on two fields": (
        modal(
            field({"type": "plain_text_input", "focus_on_load": True}),
            field({"type": "plain_text_input", "focus_on_load": True}),
        ),
        "only one element may have focus_on_load",
    ),
    "the same block_id twice": (
        modal(field(block_id="a"), field(block_id="a")),
        "block_id a already exists",
    ),
}


@pytest.mark.parametrize("name", BROKEN_VIEWS)
def test_a_view_over_a_limit_is_refused_with_the_reason(name: str) -> None:
    view, reason = BROKEN_VIEWS[name]
    failure = validate_view(view)
    assert failure is not None
    assert failure.error == "invalid_arguments"
    assert reason in " ".join(failure.messages)


def test_a_view_over_250_kilobytes_is_too_large() -> None:
    fields = [{"type": "section", "fields": [plain("x" * 2000)] * 10} for _ in range(13)]
    failure = validate_view(modal(*fields))
    assert failure is not None
    assert failure.error == "view_too_large"


def test_a_text_over_its_limit_is_too_long() -> None:
    assert validate_text("x" * 4000, 4000) is None
    failure = validate_text("x" * 4001, 4000)
    assert failure is not None
    assert failure.error == "msg_too_long"
