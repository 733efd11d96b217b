"""Validation of messages and views by Block Kit's limits."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.block_elements import elements_of, items_of
from bot.sandbox.slack.block_kit import BLOCKS, MARKDOWN_TEXT, SURFACES, VIEWS, SurfaceLimits
from bot.sandbox.slack.block_rules import Many, Typed, error_message

Json = dict[str, Any]

VIEW_BYTES = 250 * 1024
MOST_CHARTS = 2


@dataclass(frozen=True, kw_only=True)
class ValidationFailure:
    """The reason why Slack refuses a payload: an error code and error messages."""

    error: str
    messages: tuple[str, ...] = ()


def _duplicates(parts: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    values = [part[name] for part in parts if isinstance(part.get(name), str)]
    return sorted({value for value in values if values.count(value) > 1})


def _examine_ids(blocks: list[Json], at: str) -> Iterator[str]:
    for value in _duplicates(blocks, "block_id"):
        yield error_message(f"block_id {value} already exists", at)
    for index, block in enumerate(blocks):
        for value in _duplicates(elements_of(block), "action_id"):
            yield error_message(f"action_id {value} already exists in the block", f"{at}/{index}")


def _examine_once_per_surface(blocks: list[Json], at: str) -> Iterator[str]:
    if sum(block.get("type") == "table" for block in blocks) > 1:
        yield error_message("only one table allowed", at)
    charts = [block for block in blocks if block.get("type") == "data_visualization"]
    if len(charts) > MOST_CHARTS:
        yield error_message(f"only {MOST_CHARTS} charts allowed", at)
    if not all(_matches_axis(block.get("chart")) for block in charts):
        yield error_message("the labels of each series must match the axis categories", at)
    texts = [block.get("text") for block in blocks if block.get("type") == "markdown"]
    if sum(len(text) for text in texts if isinstance(text, str)) > MARKDOWN_TEXT:
        yield error_message(f"all markdown together must be less than {MARKDOWN_TEXT + 1}", at)
    elements = [element for block in blocks for element in elements_of(block)]
    if sum(bool(element.get("focus_on_load")) for element in elements) > 1:
        yield error_message("only one element may have focus_on_load", at)


def _matches_axis(chart: object) -> bool:
    """Tell whether each series of a chart has one value for each category, in their order."""
    if not isinstance(chart, dict) or not isinstance(chart.get("axis_config"), dict):
        return True  # said elsewhere
    categories = chart["axis_config"].get("categories")
    return all(
        [point.get("label") for point in items_of(series.get("data")) if isinstance(point, dict)]
        == categories
        for series in items_of(chart.get("series"))
        if isinstance(series, dict)
    )


def _examine_blocks(blocks: object, surface: SurfaceLimits, at: str) -> Iterator[str]:
    allowed = Typed({kind: BLOCKS[kind] for kind in sorted(surface.blocks)})
    yield from Many(of=allowed, most=surface.most, least=0).examine(blocks, at)
    if not isinstance(blocks, list):
        return
    known = [block for block in blocks if isinstance(block, dict)]
    yield from _examine_ids(known, at)
    yield from _examine_once_per_surface(known, at)


def validate_blocks(blocks: object) -> ValidationFailure | None:
    """Validate the blocks of a message. Return None when they are valid."""
    if not isinstance(blocks, list):
        return ValidationFailure(error="invalid_blocks_format")
    messages = tuple(_examine_blocks(blocks, SURFACES["message"], "/blocks"))
    return ValidationFailure(error="invalid_blocks", messages=messages) if messages else None


def validate_text(text: object, limit: int) -> ValidationFailure | None:
    """Validate the top-level text of a message. Return None when it is valid."""
    if not isinstance(text, str):
        return ValidationFailure(
            error="invalid_arguments", messages=(error_message("must be a string", "/text"),)
        )
    return ValidationFailure(error="msg_too_long") if len(text) > limit else None


def validate_view(view: object, kinds: tuple[str, ...] = ("modal", "home")) -> ValidationFailure | None:
    """Validate a view. Return None when it is valid.

    Args:
        view: The view.
        kinds: The view types that the method accepts.
    """
    if not isinstance(view, dict):
        missing = error_message("missing required field: view", "")
        return ValidationFailure(error="invalid_arguments", messages=(missing,))
    if view.get("type") not in kinds:
        wrong = error_message(f"must be one of: {', '.join(kinds)}", "/view/type")
        return ValidationFailure(error="invalid_arguments", messages=(wrong,))
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        return ValidationFailure(error="view_too_large")
    messages = tuple(_examine_view(view))
    return ValidationFailure(error="invalid_arguments", messages=messages) if messages else None


def _examine_view(view: Json) -> Iterator[str]:
    yield from VIEWS[view["type"]].examine(view, "/view")
    blocks = view.get("blocks")
    yield from _examine_blocks(blocks, SURFACES[view["type"]], "/view/blocks")
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in items_of(blocks))
    if view["type"] == "modal" and has_input and not view.get("submit"):
        yield error_message("missing required field: submit (the view has an input)", "/view/submit")
