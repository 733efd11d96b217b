"""The content of messages about a connection: it ends, or another person has one to the same account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.connect import connection_ends_message, second_person_message
from bot.domain.delivery import Drawing

if TYPE_CHECKING:
    from bot.domain.delivery import Delivery
    from bot.runtime import Runtime


async def draw_connection_end(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return the reminder; None once the grant was replaced or has ended."""
    link = await runtime.links.get(delivery.recipient)
    if link is None or link.dead or link.grant_id != delivery.subject_id:
        return None
    return Drawing(message=connection_ends_message(link.connection).json)


async def draw_second_person(runtime: Runtime, delivery: Delivery) -> Drawing:
    """Return the warning that another person is connected to this person's account, or was."""
    theirs = await runtime.links.by_grant(delivery.subject_id)
    user = None if theirs is None or theirs.dead else theirs.identity.user
    email = None if theirs is None else theirs.account.email
    return Drawing(message=second_person_message(user, email, grant_id=delivery.subject_id).json)
