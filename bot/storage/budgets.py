"""What counts against budgets: the purchases of an organization in a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from bot.domain.budget import Spent
from bot.domain.charge import NOT_CHARGED, ChargeKind, ChargeState
from bot.storage.tables import charges, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.domain.budget import Month
    from bot.domain.request import OrganizationKey
    from bot.storage.connection import Connection

_GIVEN_BACK = sorted(state.value for state in NOT_CHARGED - {ChargeState.NEEDS_SCOPE})
"""A charge that waits for the billing permission may still be sent, so it counts."""


async def spent_in(
    connection: Connection, key: OrganizationKey, month: Month, *, but: str = ""
) -> Sequence[Spent]:
    """Return the amounts that were, or are being, added in a month, by the time of their confirmation.

    Those that ended without money are given back. `but` is a request or a charge that is left out.
    """
    paid, asked = charges.c, requests.c
    query = (
        select(
            paid.amount,
            func.coalesce(asked.user, paid.user).label("for_user"),
            func.coalesce(asked.channel, paid.channel).label("in_channel"),
        )
        .select_from(charges.outerjoin(requests, asked.id == paid.request_id))
        .where(
            paid.organization_id == key.organization_id,
            paid.owner.startswith(f"{key.tenant}:", autoescape=True),
            paid.confirmed_at >= month.opens_at,
            paid.confirmed_at < month.closes_at,
            paid.kind == ChargeKind.TOP_UP.value,
            paid.state.not_in(_GIVEN_BACK),
            paid.id != but,
            or_(paid.request_id.is_(None), paid.request_id != but),
        )
    )
    rows = await connection.execute(query)
    return [Spent(amount=row.amount, user=row.for_user, channel=row.in_channel) for row in rows]
