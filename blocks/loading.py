"""The screens that are shown while the app waits for the portal."""

from __future__ import annotations

from blocks import ids
from blocks.kit import Block, Json, Message, context, message, modal, section


def loading_modal(title: str, *, doing: str = "Asking Nous Portal…") -> Json:
    """Make the modal that opens immediately, before any slow call."""
    return modal(title, section(doing), callback_id=ids.INFO_VIEW)


def message_modal(title: str, shown: Message) -> Json:
    """Make a modal from a message, for clicks inside a modal or App Home."""
    return modal(title, *map(_in_modal, shown.blocks), callback_id=ids.INFO_VIEW)


def _in_modal(block: Json) -> Block | None:
    """Return a message's block without the way back to a message; None if nothing is left of it."""
    if block["type"] != "actions":
        return Block(json=block)
    elements = [each for each in block["elements"] if each["action_id"] != ids.BACK_TO_OVERVIEW]
    return Block(json=block | {"elements": elements}) if elements else None


def loading_message() -> Message:
    """Make the message for an answer that takes longer than a moment."""
    return message(context("Asking Nous Portal…"))
