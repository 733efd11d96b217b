"""The people who have opened App Home: only their App Homes are updated after an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bot.storage.tables import app_home_viewers

if TYPE_CHECKING:
    from bot.domain.identity import Identity
    from bot.storage.database import Database


class AppHomeViewers:
    """The people who have opened App Home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[str] = set()

    async def opened(self, identity: Identity) -> None:
        """Record that a person has opened App Home."""
        if identity.key in self._known:
            return
        statement = self._database.backend.insert(app_home_viewers).values(owner=identity.key)
        async with self._database.transaction() as connection:
            await connection.execute(
                statement.on_conflict_do_nothing(index_elements=[app_home_viewers.c.owner])
            )
        self._known.add(identity.key)

    async def has_app_home(self, identity: Identity) -> bool:
        """Tell whether a person has ever opened App Home."""
        query = select(app_home_viewers.c.owner).where(app_home_viewers.c.owner == identity.key)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None
