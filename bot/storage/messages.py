"""Outgoing messages: one per charge, with what is needed to post it exactly once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, exists, func, select, update

from bot.domain.message import OutgoingMessage
from bot.engine import LeaseLostError
from bot.storage.charges import charge_of
from bot.storage.database import announce
from bot.storage.leases import LeaseStore, wake
from bot.storage.tables import charges, homes, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Executable, Row

    from bot.domain.charge import Charge
    from bot.engine import Lease
    from bot.storage.database import Database


_FIELDS = tuple(field.name for field in fields(OutgoingMessage))
_TOLD_OF = select(charges, exists().where(homes.c.owner == charges.c.owner).label("at_home")).where(
    charges.c.id.in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMessage:
    """A message as it was claimed, the charge it tells of, and whether the person has opened App Home."""

    message: OutgoingMessage
    charge: Charge
    at_home: bool


class MessageStore:
    """Outgoing messages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.leases = LeaseStore(database, messages, self._found)

    async def _found(self, rows: Sequence[Row[Any]]) -> dict[str, Callable[[], FoundMessage]]:
        """Read what claimed messages tell of, all in one question."""
        facts = {"ids": [row.id for row in rows]}
        async with self._database.reading() as connection:
            told_of = {row.id: row for row in await connection.execute(_TOLD_OF, facts)}
        return {row.id: partial(_found_message, row, told_of[row.id]) for row in rows}

    async def get(self, charge_id: str) -> OutgoingMessage | None:
        """Return the message of a charge."""
        async with self._database.reading() as connection:
            row = (
                await connection.execute(select(messages).where(messages.c.id == charge_id))
            ).one_or_none()
        if row is None:
            return None
        return _message(row)

    async def forget_shown(self, charge_id: str) -> None:
        """Have a message brought up to date whatever it is known to say; needs no lease."""
        async with self._database.transaction() as connection:
            await connection.execute(update(messages).where(messages.c.id == charge_id).values(shown=None))
            await wake(connection, messages, charge_id, self._database.clock.now())

    async def look_again(self, *, enterprise: str, team: str, since: datetime) -> None:
        """Have the messages of a workspace's charges brought up to date; else an enterprise's."""
        of = charges.c.team == team if team else charges.c.enterprise == enterprise
        concerned = select(charges.c.id).where(of, charges.c.confirmed_at >= since)
        async with self._database.transaction() as connection:
            await connection.execute(
                update(messages)
                .where(messages.c.id.in_(concerned))
                .values(due_at=self._database.clock.now(), wakes=messages.c.wakes + 1)
            )
            announce(connection, messages)

    async def note(self, lease: Lease, **values: object) -> OutgoingMessage:
        """Record facts under a lease.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        return _message(await self._note(lease, values, self._any))

    async def finish(
        self, lease: Lease, due_at: datetime | None, *, modal: str | None = None, **values: object
    ) -> None:
        """Record a run's last facts and give the row back, due then; a wake keeps it due at once.

        The open modal is forgotten if it is `modal`; one that was opened meanwhile stays.

        Raises:
            LeaseLostError: the row is no longer ours.
        """
        facts = {**values, **self.leases.when_given_back(lease.claim, due_at), "modal": modal or ""}
        row = await self._note(lease, facts, self._last)
        lease.given_back(row.due_at)

    @cached_property
    def _any(self) -> Executable:
        return self.leases.held.returning(messages)

    @cached_property
    def _last(self) -> Executable:
        modal = func.nullif(messages.c.view_id, bindparam("modal", type_=String))
        return self.leases.held.values(**self.leases.given_back, view_id=modal).returning(messages)

    async def _note(self, lease: Lease, values: dict[str, Any], statement: Executable) -> Row[Any]:
        facts = {**values, "this": lease.id, "token": lease.token}
        async with self._database.single() as connection:
            row: Row[Any] | None = (await connection.execute(statement, facts)).one_or_none()
        if row is None:
            raise LeaseLostError(lease.id)
        return row


def _found_message(row: Row[Any], told_of: Row[Any]) -> FoundMessage:
    return FoundMessage(message=_message(row), charge=charge_of(told_of), at_home=told_of.at_home)


def _message(row: Row[Any]) -> OutgoingMessage:
    return OutgoingMessage(**{name: getattr(row, name) for name in _FIELDS})
