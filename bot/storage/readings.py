"""Readings of watched balances: all are kept for two days, then one an hour, and dropped after some weeks.

One reading of each hour stands for it: its first. So does each reading with what our own charges had added,
because the sum would be wrong without it.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, and_, bindparam, delete, or_, select, type_coerce

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

EACH_FOR = timedelta(hours=3)
"""How far back each reading is looked at, not only those that stand for their hour."""

LATEST = 10
"""Of so many readings all is looked at: cap, auto-reload and payment method are compared with the last."""

NONE = Decimal(0)
_THESE = (readings.c.watch_id == bindparam("watch"), readings.c.at > bindparam("since"))
_UNTIL = readings.c.at <= bindparam("end")
_LATEST = (
    select(readings)
    .where(*_THESE, _UNTIL, readings.c.sees_all)
    .order_by(readings.c.at.desc())
    .limit(LATEST)
)
_BALANCES = (
    select(readings.c.at, type_coerce(readings.c.balance, String), type_coerce(readings.c.credit, String))
    .where(*_THESE)
    .order_by(readings.c.at)
)
"""As texts, which is quicker: this is read for each reading, with hundreds of rows."""

_EACH = _BALANCES.where(_UNTIL)
_THOSE_THAT_STAND = _EACH.where(or_(readings.c.stands, readings.c.at >= bindparam("each_since")))


class ReadingStore:
    """The readings of all watches."""

    def __init__(self, database: Database, *, days: int) -> None:
        """`days`: how long they are kept."""
        self._database = database
        self._kept_for = timedelta(days=days)
        self._insert = database.backend.insert(readings).on_conflict_do_nothing()

    async def add(
        self, transaction: Transaction, watch_id: str, reading: Reading, *, after: Reading | None = None
    ) -> None:
        """Store a reading that follows `after`, if there is one; of two at one moment the first stays."""
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
            "stands": stands(reading, after),
        }
        await transaction.execute(self._insert, values)

    async def history(self, connection: Connection, watch_id: str) -> list[Reading]:
        """Return the readings of nine days, or of fifteen where auto-reload is on, oldest first.

        Without auto-reload, of what is older than three hours and the latest, those that stand for their
        hour. Of all but the latest only the balance and what our own charges had added are read.
        """
        return await self.until(connection, watch_id, self._database.clock.now())

    async def until(self, connection: Connection, watch_id: str, end: datetime) -> list[Reading]:
        """Return the readings up to `end`, as `history`."""
        facts = {"watch": watch_id, "end": end, "since": end - HISTORY_OF_RELOADS}
        whole = {each.at: _reading(each) for each in await connection.execute(_LATEST, facts)}
        is_on = next(iter(whole.values())).is_reload_on if whole else False
        if not is_on:
            facts |= {"since": end - HISTORY, "each_since": min([end - EACH_FOR, *whole])}
        rows = await connection.execute(_EACH if is_on else _THOSE_THAT_STAND, facts)
        return [whole.get(at) or _bare(at, balance, credit) for at, balance, credit in rows.all()]

    async def balances(self, connection: Connection, watch_id: str, since: datetime) -> list[Reading]:
        """Return the balances after that moment, oldest first, and what our own charges had added."""
        rows = await connection.execute(_BALANCES, {"watch": watch_id, "since": since})
        return [_bare(*each) for each in rows]

    async def thin(self) -> int:
        """Delete old readings, and of two days old ones what stands for no hour; return how many went."""
        row, now = readings.c, self._database.clock.now()
        stood_for = (row.at < now - WHOLE_FOR, row.at > now - HISTORY_OF_RELOADS, ~row.stands)
        async with self._database.transaction() as transaction:
            gone = await transaction.execute(
                delete(readings).where(or_(row.at < now - self._kept_for, and_(*stood_for)))
            )
        return gone.rowcount


def stands(reading: Reading, before: Reading | None) -> bool:
    """Tell whether a reading stands for its hour."""
    return before is None or reading.credit != 0 or _hour(reading) != _hour(before)


def _hour(reading: Reading) -> datetime:
    return reading.at.replace(minute=0, second=0, microsecond=0)


def _bare(at: datetime, balance: str, credit: str) -> Reading:
    return Reading(at, Decimal(balance), credit=NONE if credit == "0" else Decimal(credit))


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
