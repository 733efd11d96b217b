"""The two databases, a new one for each measurement."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.postgresql import new_database
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """SQLite, or PostgreSQL with a migrated template on a running server."""

    name: str
    server: str | None = None
    template: str = "template1"

    @asynccontextmanager
    async def database(self, folder: Path, *, empty: bool = False) -> AsyncIterator[str]:
        """Make a database, on PostgreSQL migrated unless `empty`; gone afterwards, or with its folder."""
        if self.server is None:
            yield f"sqlite:///{folder / f'{free_port()}.db'}"
            return
        async with new_database(self.server, "template1" if empty else self.template) as url:
            yield url
