"""Requests that end without a decision, because a requester has left or a ledger was restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from bot.domain.request import Withdrawal
from bot.storage.deliveries import wake_subject
from bot.storage.requests.rows import IS_OPEN, REQUEST, as_seen, difference, record_request, request_of
from bot.storage.requests.votes import void_left
from bot.storage.tables import links, requests
from bot.storage.watches import end_watching

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from bot.domain.identity import Account
    from bot.domain.request import FundsRequest
    from bot.storage.connection import Transaction


async def withdraw_left(
    transaction: Transaction, owner: str, *, but: Account | None = None, base_url: str = ""
) -> None:
    """Withdraw a person's open requests, void their votes, and end what is read with their connection.

    What is of the account stays to which they are connected now.
    """
    row = requests.c
    left = [row.owner == owner]
    if but is not None:
        left.append(
            or_(
                row.account_id != but.account_id,
                row.organization_id != but.organization_id,
                row.base_url != base_url,
            )
        )
    await withdraw_where(transaction, Withdrawal.LEFT, *left)
    await void_left(transaction, owner, but=but, base_url=base_url)
    await end_watching(transaction, owner, but=but, base_url=base_url)


async def withdraw_where(transaction: Transaction, why: Withdrawal, *which: ColumnElement[bool]) -> int:
    """Withdraw those of the open requests; return how many."""
    row, withdrawn = requests.c, 0
    for found in (await transaction.execute(select(requests).where(IS_OPEN, *which))).all():
        before = request_of(found)
        after = before.withdrawn(why, transaction.now())
        values = {**difference(before, after), "due_at": None, "wakes": row.wakes + 1}
        changed = update(requests).where(row.id == before.id, *as_seen(before)).values(**values)
        if (await transaction.execute(changed)).rowcount:
            await record_request(transaction, after, after.state.value, actor="app")
            await wake_subject(transaction, REQUEST, before.id)
            withdrawn += 1
    return withdrawn


async def is_connected(transaction: Transaction, request: FundsRequest) -> bool:
    """Tell whether the requester is still connected to the organization with the same account."""
    row = links.c
    mine = select(row.owner).where(
        row.owner == request.requester.key,
        row.account_id == request.account_id,
        row.organization_id == request.organization_id,
        row.base_url == request.base_url,
    )
    return (await transaction.execute(mine)).first() is not None
