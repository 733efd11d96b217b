"""Block Kit's blocks, surfaces and views, and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.sandbox.slack.block_elements import CHOICES, ELEMENTS, ID, MULTI_CHOICES, TYPED, URL, plain_text
from bot.sandbox.slack.block_rules import Choice, Flag, Many, Opaque, Rule, Shape, String, Text, Typed

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_TEXT = 40_000
UPDATE_TEXT = 4_000
MARKDOWN_TEXT = 12_000


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
        "rich_text": Shape(required={"elements": Opaque(list)}, optional={"block_id": ID}),
    }
)


_POINT = Shape(required={"label": String(limit=20, least=1), "value": Opaque(object)}, tagged=False)
_SERIES = Shape(
    required={"name": String(limit=20, least=1), "data": Many(of=_POINT, most=20)}, tagged=False
)
_AXES = Shape(
    required={"categories": Many(of=String(limit=20, least=1), most=20)},
    optional={"x_label": String(limit=50), "y_label": String(limit=50)},
    tagged=False,
)
_CHART = Typed(
    {
        kind: Shape(required={"series": Many(of=_SERIES, most=6), "axis_config": _AXES})
        for kind in ("bar", "area", "line")
    }
)


def _block(
    required: Mapping[str, Rule] | None = None,
    optional: Mapping[str, Rule] | None = None,
    one_of: tuple[str, ...] = (),
) -> Shape:
    return Shape(required=required or {}, optional={"block_id": ID, **(optional or {})}, one_of=one_of)


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
    "header": _block({"text": plain_text(150)}),
    "context": _block({"elements": Many(of=_IN_CONTEXT, most=10)}),
    "actions": _block({"elements": Many(of=_IN_ACTIONS, most=25)}),
    "input": _block(
        {"label": plain_text(2000), "element": _IN_INPUT},
        {"hint": plain_text(2000), "optional": Flag(), "dispatch_action": Flag()},
    ),
    "image": _block(
        {"alt_text": String(limit=2000, least=1)},
        {"image_url": URL, "slack_file": Opaque(dict), "title": plain_text(2000)},
        ("image_url", "slack_file"),
    ),
    "rich_text": _block({"elements": Opaque(list)}),
    "markdown": _block({"text": String(limit=MARKDOWN_TEXT, least=1)}),
    "alert": _block(
        {"text": Text(limit=3000)},
        {"level": Choice(("default", "info", "warning", "error", "success"))},
    ),
    "data_visualization": _block({"title": String(limit=50, least=1), "chart": _CHART}),
    "table": _block(
        {"rows": Many(of=Many(of=_CELL, most=20), most=100)},
        {"column_settings": Many(of=Opaque(object), most=20)},
    ),
}

_EVERYWHERE = frozenset(BLOCKS) - {"markdown", "alert", "table", "data_visualization"}


@dataclass(frozen=True, kw_only=True)
class SurfaceLimits:
    """The limits of one kind of surface."""

    blocks: frozenset[str]
    most: int


SURFACES = {
    "message": SurfaceLimits(
        blocks=_EVERYWHERE | {"markdown", "table", "data_visualization"}, most=MESSAGE_BLOCKS
    ),
    "home": SurfaceLimits(blocks=_EVERYWHERE | {"table"}, most=VIEW_BLOCKS),
    "modal": SurfaceLimits(blocks=_EVERYWHERE | {"alert"}, most=VIEW_BLOCKS),
}

_VIEW_FIELDS: dict[str, Rule] = {
    "private_metadata": String(limit=3000),
    "callback_id": String(limit=255),
    "external_id": String(limit=255),
}
VIEWS = {
    "home": Shape(required={"blocks": Opaque(list)}, optional=_VIEW_FIELDS),
    "modal": Shape(
        required={"title": plain_text(24), "blocks": Opaque(list)},
        optional={
            **_VIEW_FIELDS,
            "submit": plain_text(24),
            "close": plain_text(24),
            "clear_on_close": Flag(),
            "notify_on_close": Flag(),
            "submit_disabled": Flag(),
        },
    ),
}
