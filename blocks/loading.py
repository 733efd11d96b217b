"""What is shown while the portal is being asked."""

from __future__ import annotations

from blocks import ids
from blocks.kit import Block, Json, Message, context, message, modal, section


def loading_modal(title: str, *, doing: str = "Asking Nous Portal…") -> Json:
    """Make the modal that opens at once, before anything slow is done."""
    return modal(title, section(doing), callback_id=ids.INFO_VIEW)


def message_modal(title: str, shown: Message) -> Json:
    """Make a modal of a message, for clicks where no message can be an answer."""
    return modal(title, *(Block(json=block) for block in shown.blocks), callback_id=ids.INFO_VIEW)


def loading_message() -> Message:
    """Make the line for an answer that takes longer than a moment."""
    return message(context("Asking Nous Portal…"))
