"""Episodes: one open row for a watch and kind, told once to each reader."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, exists, insert, select, update

from bot.domain.audit import Action
from bot.domain.episode import Episode, EpisodeKind
from bot.storage.deliveries import wake_subject
from bot.storage.tables import deliveries
from bot.storage.watch_tables import episodes, snoozes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Row

    from bot.storage.connection import Connection, Transaction
    from bot.storage.database import Database

EPISODE = "episode"
"""The kind of subject of an episode's messages: its id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEpisode:
    """An episode with what its message says. Times are UTC; `facts` are numbers as people read them."""

    id: str
    watch_id: str
    kind: EpisodeKind
    level: int
    opened_at: datetime
    worse_at: datetime
    told_at: datetime | None
    closed_at: datetime | None
    closed_why: str | None
    facts: Mapping[str, Any]

    @property
    def episode(self) -> Episode:
        """The episode itself."""
        return Episode(kind=self.kind, level=self.level, opened_at=self.opened_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snooze:
    """A reader wants no more of an episode until then (UTC), or until it is worse than `level`."""

    until: datetime | None
    level: int

    def holds(self, episode: StoredEpisode, now: datetime) -> bool:
        """Tell whether nothing is said now."""
        return episode.level <= self.level and (self.until is None or now < self.until)


_OPEN_OF = select(episodes).where(episodes.c.watch_id == bindparam("watch"), episodes.c.closed_at.is_(None))
"""Made once: it is executed for each reading."""


class EpisodeStore:
    """The episodes of all watches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_of(self, connection: Connection, watch_id: str) -> dict[EpisodeKind, StoredEpisode]:
        """Return a watch's open episodes."""
        found = [_episode(each) for each in await connection.execute(_OPEN_OF, {"watch": watch_id})]
        return {each.kind: each for each in found}

    async def get(self, episode_id: str) -> StoredEpisode | None:
        """Return an episode by its id."""
        async with self._database.read() as connection:
            query = select(episodes).where(episodes.c.id == episode_id)
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _episode(row)

    async def open(
        self,
        transaction: Transaction,
        watch_id: str,
        kind: EpisodeKind,
        level: int,
        facts: Mapping[str, Any],
    ) -> StoredEpisode:
        """Open an episode; the same watch has no other open one of this kind."""
        now = transaction.now()
        values: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "watch_id": watch_id,
            "kind": kind.value,
            "level": level,
            "opened_at": now,
            "worse_at": now,
            "facts": json.dumps(facts),
        }
        await transaction.execute(insert(episodes).values(**values))
        await self._record(transaction, watch_id, kind, f"opened-{level}")
        return StoredEpisode(
            id=values["id"],
            watch_id=watch_id,
            kind=kind,
            level=level,
            opened_at=now,
            worse_at=now,
            told_at=None,
            closed_at=None,
            closed_why=None,
            facts=facts,
        )

    async def change(
        self, transaction: Transaction, episode: StoredEpisode, level: int, facts: Mapping[str, Any]
    ) -> None:
        """Write a new level and what is said now; the messages are drawn again."""
        values: dict[str, Any] = {"facts": json.dumps(facts)}
        if level > episode.level:
            values |= {"level": level, "worse_at": transaction.now()}
            await self._record(transaction, episode.watch_id, episode.kind, f"level-{level}")
        elif level < episode.level:
            values["level"] = level
        await transaction.execute(update(episodes).where(episodes.c.id == episode.id).values(**values))
        await wake_subject(transaction, EPISODE, episode.id)

    async def close(
        self, transaction: Transaction, episode: StoredEpisode, why: str, facts: Mapping[str, Any]
    ) -> None:
        """Close an episode; its messages say so."""
        values = {"closed_at": transaction.now(), "closed_why": why, "facts": json.dumps(facts)}
        await transaction.execute(update(episodes).where(episodes.c.id == episode.id).values(**values))
        await transaction.execute(delete(snoozes).where(snoozes.c.episode_id == episode.id))
        await self._record(transaction, episode.watch_id, episode.kind, f"closed-{why}")
        await wake_subject(transaction, EPISODE, episode.id)

    async def told(self, transaction: Transaction, episode: StoredEpisode) -> None:
        """Record that people are told of it."""
        values = {"told_at": transaction.now()}
        await transaction.execute(update(episodes).where(episodes.c.id == episode.id).values(**values))

    async def snooze(self, episode_id: str, owner: str, snooze: Snooze) -> None:
        """Store that a reader wants to hear no more of it for a while."""
        values = {"until": snooze.until, "level": snooze.level}
        async with self._database.transaction() as transaction:
            statement = self._database.backend.insert(snoozes).values(
                episode_id=episode_id, owner=owner, **values
            )
            index = [snoozes.c.episode_id, snoozes.c.owner]
            await transaction.execute(statement.on_conflict_do_update(index_elements=index, set_=values))
            await wake_subject(transaction, EPISODE, episode_id)

    async def snoozed(self, episode_id: str, owner: str) -> Snooze | None:
        """Return what a reader has chosen for an episode."""
        row = snoozes.c
        query = select(snoozes).where(row.episode_id == episode_id, row.owner == owner)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).one_or_none()
        return None if found is None else Snooze(until=found.until, level=found.level)

    async def delete_ended(self, *, before: datetime) -> None:
        """Delete the episodes that were closed before then, and their messages."""
        row = deliveries.c
        async with self._database.transaction() as transaction:
            await transaction.execute(delete(episodes).where(episodes.c.closed_at < before))
            gone = ~exists().where(episodes.c.id == row.subject_id)
            of_none = (row.subject_kind == EPISODE, row.due_at.is_(None), row.lease_token.is_(None), gone)
            await transaction.execute(delete(deliveries).where(*of_none))

    async def _record(
        self, transaction: Transaction, watch_id: str, kind: EpisodeKind, result: str
    ) -> None:
        await transaction.record(
            Action.ALERT, actor="app", subject=watch_id, result=result, facts={"kind": kind.value}
        )


def _episode(row: Row[Any]) -> StoredEpisode:
    return StoredEpisode(
        id=row.id,
        watch_id=row.watch_id,
        kind=EpisodeKind(row.kind),
        level=row.level,
        opened_at=row.opened_at,
        worse_at=row.worse_at,
        told_at=row.told_at,
        closed_at=row.closed_at,
        closed_why=row.closed_why,
        facts=json.loads(row.facts),
    )
