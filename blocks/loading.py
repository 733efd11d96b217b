"""The screens that are shown while the app waits for the portal."""

from __future__ import annotations

from blocks import ids
from blocks.kit import Block, Json, Message, context, message, modal, section


def loading_modal(title: str, *, doing: str = "Asking Nous Portal…") -> Json:
    """Make the modal that opens immediately, before any slow call."""
    return modal(title, section(doing), callback_id=ids.INFO_VIEW)


def message_modal(title: str, shown: Message) -> Json:
    """Make a modal from a message, for clicks inside a modal."""
    return modal(title, *(Block(json=block) for block in shown.blocks), callback_id=ids.INFO_VIEW)


def loading_message() -> Message:
    """Make the message for an answer that takes longer than a moment."""
    return message(context("Asking Nous Portal…"))
