"""People who are away: others are told of requests in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from bot.domain.audit import Action
from bot.domain.away import Away
from bot.storage.tables import away

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bot.domain.identity import Identity
    from bot.storage.database import Database


class AwayStore:
    """One absence a person, until it is over or ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, absence: Away) -> None:
        """Store an absence; it replaces the person's former one."""
        owner = absence.person.key
        values = {"until": absence.until, "delegate": absence.delegate}
        statement = self._database.backend.insert(away).values(owner=owner, **values)
        async with self._database.transaction() as transaction:
            await transaction.execute(
                statement.on_conflict_do_update(index_elements=[away.c.owner], set_=values)
            )
            await transaction.record(
                Action.AWAY, actor=owner, subject=owner, result="away", facts={"until": absence.until}
            )

    async def end(self, identity: Identity) -> bool:
        """End a person's absence; return False if there is none."""
        async with self._database.transaction() as transaction:
            ended = await transaction.execute(delete(away).where(away.c.owner == identity.key))
            if ended.rowcount:
                await transaction.record(
                    Action.AWAY, actor=identity.key, subject=identity.key, result="back"
                )
        return bool(ended.rowcount)

    async def get(self, identity: Identity) -> Away | None:
        """Return a person's absence; None if there is none, or it is over."""
        found = (await self.all_of([identity.key])).get(identity.key)
        return None if found is None else Away(person=identity, until=found[0], delegate=found[1])

    async def all_of(self, owners: Sequence[str]) -> Mapping[str, tuple[datetime, str | None]]:
        """Return, by key, until when those of these people are away who are, and who is told instead."""
        row = away.c
        query = select(away).where(row.owner.in_(owners), row.until > self._database.clock.now())
        async with self._database.read() as connection:
            return {each.owner: (each.until, each.delegate) for each in await connection.execute(query)}

    async def delete_old(self) -> None:
        """Delete the absences that are over."""
        async with self._database.transaction() as transaction:
            await transaction.execute(delete(away).where(away.c.until < transaction.now()))
