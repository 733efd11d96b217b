"""The reminder that a connection ends soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Block, actions, button, context, moment

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Connection


def ends_soon_blocks(connection: Connection, now: datetime) -> list[Block | None]:
    """Make the reminder with a button to connect again; empty until the connection ends soon."""
    if not connection.ends_soon(now):
        return []
    ends = moment("Your connection to Nous Portal ends", connection.ends_at)
    return [
        context(f"{ends}. Connect again to avoid a break."),
        actions(button("Connect again", ids.CONNECT)),
    ]
