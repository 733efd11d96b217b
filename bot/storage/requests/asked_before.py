"""What a person has asked for before, so that one wish is one request."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, select

from bot.domain.request import RequestState
from bot.domain.request_errors import AskedAlreadyError
from bot.storage.requests.rows import IS_GOING_ON, REQUEST, of_organization, request_of
from bot.storage.tables import deliveries, requests

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select

    from bot.domain.request import FundsRequest
    from bot.storage.connection import Connection, Transaction

UNSEEN_FOR = timedelta(hours=1)
"""For so long the card of a paid request may be on its way: the person may not know of the payment."""


async def equal_going_on(connection: Connection, request: FundsRequest) -> FundsRequest | None:
    """Return the same person's request for this amount that goes on."""
    row = requests.c
    query = select(requests).where(
        *of_organization(request.key),
        row.owner == request.requester.key,
        row.amount == request.amount,
        row.id != request.id,
        IS_GOING_ON,
    )
    found = (await connection.execute(query)).first()
    return None if found is None else request_of(found)


async def filed_by_form(transaction: Transaction, request: FundsRequest) -> FundsRequest | None:
    """Return the request that the same form has filed before; None if it has filed none.

    Raises:
        AskedAlreadyError: it was of another amount.
    """
    row = (await transaction.execute(select(requests).where(requests.c.id == request.id))).one_or_none()
    if row is None:
        return None
    filed = request_of(row)
    if filed.amount != request.amount:
        raise AskedAlreadyError(filed)
    return filed


def unseen(request: FundsRequest, now: datetime) -> Select[Any]:
    """Return the query for an equal request that was just paid, and whose card does not say so yet."""
    row, card = requests.c, deliveries.c
    return select(requests).where(
        *of_organization(request.key),
        row.owner == request.requester.key,
        row.amount == request.amount,
        row.state == RequestState.DONE.value,
        row.decided_at > now - UNSEEN_FOR,
        exists().where(
            card.subject_kind == REQUEST,
            card.subject_id == row.id,
            card.owner == row.owner,
            card.due_at.is_not(None),
        ),
    )
