"""`/billing export [MONTH]`: the purchases of a month as a file, to the person alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.export import (
    file_comment,
    file_name,
    file_title,
    maybe_sent_message,
    no_file_message,
    no_month_message,
    sent_message,
)
from blocks.export_file import csv_of
from bot.services.exporting import MonthError
from bot.slack.errors import SlackRefusedError, SlackUnavailableError

if TYPE_CHECKING:
    from handlers.context import Context


async def handle_export(context: Context) -> None:
    """Send the file, and say where it is."""
    context.wanted = f"export {context.text}".strip()
    exporting = context.runtime.exporting
    try:
        exported = await exporting.month(context.identity, context.text)
    except MonthError:
        await context.reply.message(no_month_message(context.text))
        return
    content = csv_of(exported.purchases, exported.sealed, exported.names)
    try:
        await exporting.send(
            context.identity,
            name=file_name(exported),
            title=file_title(exported),
            content=content,
            comment=file_comment(exported),
        )
    except SlackRefusedError as error:
        answer = no_file_message(exported.month, may_not=error.code == "missing_scope")
    except SlackUnavailableError:
        answer = maybe_sent_message(exported.month)
    else:
        answer = sent_message(exported)
    await context.reply.message(answer)
