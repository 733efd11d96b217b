"""The fields of a form: radio buttons, checkboxes, lines to type in, menus, people and channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.kit import OPTION_TEXT, Block, limit, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blocks.kit import Json

RADIO_OPTIONS = 10
SELECT_OPTIONS = 100
MOST_PEOPLE = 50
TYPED_LENGTH = 40


def radios(
    label: str,
    options: Sequence[tuple[str, str]],
    *,
    block_id: str,
    action_id: str,
    chosen: str | None = None,
) -> Block:
    """Make radio buttons from (value, words)."""
    limit("radio options", len(options), RADIO_OPTIONS)
    wire_options = [{"text": plain(words), "value": value} for value, words in options]
    element: Json = {"type": "radio_buttons", "action_id": action_id, "options": wire_options}
    initial = next((option for option in wire_options if option["value"] == chosen), None)
    if initial is not None:
        element["initial_option"] = initial
    return _input(label, element, block_id=block_id, hint=None)


def checkboxes(
    label: str,
    options: Sequence[tuple[str, str, str]],
    *,
    block_id: str,
    action_id: str,
    chosen: Sequence[str] = (),
) -> Block:
    """Make an optional choice of several from (value, words, description)."""
    wire_options = [
        {"text": plain(words), "value": value, "description": plain(description)}
        for value, words, description in options
    ]
    element: Json = {"type": "checkboxes", "action_id": action_id, "options": wire_options}
    initial = [option for option in wire_options if option["value"] in chosen]
    if initial:
        element["initial_options"] = initial
    return _input(label, element, block_id=block_id, hint=None, optional=True)


def text_input(
    label: str,
    *,
    block_id: str,
    action_id: str,
    placeholder: str | None = None,
    initial: str | None = None,
    hint: str | None = None,
    optional: bool = False,
    focused: bool = False,
    most: int = TYPED_LENGTH,
) -> Block:
    """Make a one-line text input; `focused`: the person types there as soon as the modal is open."""
    element: Json = {"type": "plain_text_input", "action_id": action_id, "max_length": most}
    if focused:
        element["focus_on_load"] = True
    if placeholder is not None:
        element["placeholder"] = plain(placeholder)
    if initial:
        element["initial_value"] = initial
    return _input(label, element, block_id=block_id, hint=hint, optional=optional)


def select(
    label: str,
    options: Sequence[tuple[str, str]],
    *,
    block_id: str,
    action_id: str,
    chosen: str | None = None,
) -> Block:
    """Make a menu from (value, words)."""
    limit("select options", len(options), SELECT_OPTIONS)
    wire_options = [{"text": plain(words[:OPTION_TEXT]), "value": value} for value, words in options]
    element: Json = {"type": "static_select", "action_id": action_id, "options": wire_options}
    initial = next((option for option in wire_options if option["value"] == chosen), None)
    if initial is not None:
        element["initial_option"] = initial
    return _input(label, element, block_id=block_id, hint=None)


def people_select(
    label: str, *, block_id: str, action_id: str, chosen: Sequence[str] = (), hint: str | None = None
) -> Block:
    """Make an optional choice of people of the workspace, by their Slack ids."""
    element: Json = {
        "type": "multi_users_select",
        "action_id": action_id,
        "max_selected_items": MOST_PEOPLE,
    }
    if chosen:
        element["initial_users"] = list(chosen)
    return _input(label, element, block_id=block_id, hint=hint, optional=True)


def channel_select(
    label: str,
    *,
    block_id: str,
    action_id: str,
    chosen: str | None = None,
    placeholder: str,
    hint: str | None = None,
    private_only: bool = True,
) -> Block:
    """Make an optional choice of a channel of the workspace, by default of a private one.

    It is a choice of several, of which Slack takes one: a choice of one could not be taken back.
    """
    element: Json = {
        "type": "multi_conversations_select",
        "action_id": action_id,
        "placeholder": plain(placeholder),
        "max_selected_items": 1,
        "filter": {
            "include": ["private"] if private_only else ["public", "private"],
            "exclude_external_shared_channels": True,
        },
    }
    if chosen is not None:
        element["initial_conversations"] = [chosen]
    return _input(label, element, block_id=block_id, hint=hint, optional=True)


def _input(label: str, element: Json, *, block_id: str, hint: str | None, optional: bool = False) -> Block:
    json: Json = {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }
    if hint is not None:
        json["hint"] = plain(hint)
    return Block(json=json, spoken=label)
