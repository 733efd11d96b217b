"""Readings of watched balances: kept whole for two days, then one an hour, and dropped after some weeks."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, delete, select, type_coerce

from bot.domain.reading import Reading, Reload, Source
from bot.storage.watch_tables import readings

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database

WHOLE_FOR = timedelta(hours=48)
HISTORY, HISTORY_OF_RELOADS = timedelta(days=9), timedelta(days=15)
"""How far back is looked: for the runway, and where auto-reload is on, for what it has bought."""

LATEST = 40
"""Of so many readings all is looked at: cap, auto-reload and payment method are compared with the last."""

NONE = Decimal(0)
_BALANCES = select(
    readings.c.at, type_coerce(readings.c.balance, String), type_coerce(readings.c.credit, String)
)
"""As texts, which is quicker: this is read for each reading, with hundreds of rows."""


class ReadingStore:
    """The readings of all watches."""

    def __init__(self, database: Database, *, days: int) -> None:
        """`days`: how long they are kept."""
        self._database = database
        self._kept_for = timedelta(days=days)

    async def add(self, transaction: Transaction, watch_id: str, reading: Reading) -> None:
        """Store a reading; of two at the same moment the first stays."""
        setting = reading.reload
        values = {
            "watch_id": watch_id,
            "at": reading.at,
            "balance": reading.balance,
            "sees_all": reading.sees_all,
            "reload_on": None if setting is None else setting.is_on,
            "reload_below": None if setting is None else setting.below,
            "reload_to": None if setting is None else setting.up_to,
            "cap_limit": reading.cap_limit,
            "cap_spent": reading.cap_spent,
            "method": reading.method,
            "credit": reading.credit,
            "source": reading.source.value,
        }
        statement = self._database.backend.insert(readings).values(**values)
        await transaction.execute(statement.on_conflict_do_nothing())

    async def history(self, connection: Connection, watch_id: str) -> list[Reading]:
        """Return the readings of nine days, or of fifteen where auto-reload is on, oldest first.

        Of all but the latest only the balance and what our own charges had added are read.
        """
        return await self.until(connection, watch_id, self._database.clock.now())

    async def until(self, connection: Connection, watch_id: str, end: datetime) -> list[Reading]:
        """Return the readings up to `end`, as `history`."""
        row = readings.c
        these = (row.watch_id == watch_id, row.at <= end)
        latest = select(readings).where(*these, row.at > end - HISTORY_OF_RELOADS, row.sees_all)
        latest = latest.order_by(row.at.desc()).limit(LATEST)
        whole = {each.at: _reading(each) for each in await connection.execute(latest)}
        is_on = next(iter(whole.values())).is_reload_on if whole else False
        since = end - (HISTORY_OF_RELOADS if is_on else HISTORY)
        rows = await connection.execute(_BALANCES.where(*these, row.at > since).order_by(row.at))
        return [whole.get(at) or _bare(at, balance, credit) for at, balance, credit in rows.all()]

    async def balances(self, connection: Connection, watch_id: str, since: datetime) -> list[Reading]:
        """Return the balances since then, oldest first, and what our own charges had added."""
        row = readings.c
        query = _BALANCES.where(row.watch_id == watch_id, row.at >= since).order_by(row.at)
        return [_bare(*each) for each in await connection.execute(query)]

    async def thin(self) -> int:
        """Keep one reading an hour of those that are older than two days; return how many went."""
        row, now = readings.c, self._database.clock.now()
        async with self._database.transaction() as transaction:
            old = await transaction.execute(delete(readings).where(row.at < now - self._kept_for))
            query = (
                select(row.watch_id, row.at)
                .where(row.at < now - WHOLE_FOR, row.at > now - WHOLE_FOR - timedelta(hours=3))
                .order_by(row.watch_id, row.at)
            )
            seen: set[tuple[str, datetime]] = set()
            gone = 0
            for each in (await transaction.execute(query)).all():
                hour = (each.watch_id, each.at.replace(minute=0, second=0, microsecond=0))
                if hour in seen:
                    one = (row.watch_id == each.watch_id, row.at == each.at)
                    await transaction.execute(delete(readings).where(*one))
                    gone += 1
                seen.add(hour)
        return old.rowcount + gone


def _bare(at: datetime, balance: str, credit: str) -> Reading:
    return Reading(at=at, balance=Decimal(balance), credit=NONE if credit == "0" else Decimal(credit))


def _reading(row: Row[Any]) -> Reading:
    setting = None
    if row.reload_on is not None:
        setting = Reload(is_on=row.reload_on, below=row.reload_below, up_to=row.reload_to)
    return Reading(
        at=row.at,
        balance=row.balance,
        sees_all=row.sees_all,
        reload=setting,
        cap_limit=row.cap_limit,
        cap_spent=row.cap_spent,
        method=row.method,
        credit=row.credit,
        source=Source(row.source),
    )
