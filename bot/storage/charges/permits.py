"""The billing permission of waiting charges: recorded when granted, withdrawn when lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal_column, update

from bot.domain.charge import ChargeState
from bot.storage.deliveries import wake_delivery
from bot.storage.tables import charges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.identity import Account
    from bot.storage.connection import Transaction

# A literal, because the partial index of unfinished charges needs one.
_WAITS = charges.c.state == literal_column(f"'{ChargeState.NEEDS_SCOPE.value}'")


async def permit(transaction: Transaction, account: Account | None, owner: str) -> None:
    """Record that the owner's charges of that account may continue.

    Charges of other accounts keep waiting; without `account`, all do.
    """
    await withdraw_permission(transaction, [owner])
    if account is None:
        return
    row = charges.c
    permitted = (
        update(charges)
        .where(
            row.owner == owner,
            _WAITS,
            row.account_id == account.account_id,
            row.organization_id == account.organization_id,
        )
        .values(permitted_at=transaction.now())
        .returning(row.id)
    )
    for charge_id in (await transaction.execute(permitted)).scalars().all():
        await wake_delivery(transaction, charge_id)


async def withdraw_permission(transaction: Transaction, owners: Sequence[str]) -> None:
    """Withdraw the permission from these people's charges, because the grant that gave it is gone."""
    row = charges.c
    withdrawn = (
        update(charges)
        .where(row.owner.in_(owners), _WAITS, row.permitted_at.is_not(None))
        .values(permitted_at=None)
        .returning(row.id)
    )
    for charge_id in (await transaction.execute(withdrawn)).scalars().all():
        await wake_delivery(transaction, charge_id)
