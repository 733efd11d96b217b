"""Re-encrypts all stored secrets with the newest key, while the app runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from bot.storage.cipher import SealBrokenError
from bot.storage.tables import deliveries, device_grants, installations, links, overviews

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Column

    from bot.storage.cipher import Cipher
    from bot.storage.database import Database

SEALED: tuple[Column[Any], ...] = (
    links.c.sealed_tokens,
    device_grants.c.sealed_codes,
    device_grants.c.sealed_tokens,
    installations.c.sealed_token,
    deliveries.c.sealed_place,
    overviews.c.sealed_url,
)


@dataclass(kw_only=True)
class Rotation:
    """How many values were re-encrypted, and how many no key decrypts."""

    resealed: int = 0
    broken: int = 0


async def rotate(database: Database, cipher: Cipher) -> Rotation:
    """Re-encrypt all values, one at a time; a value that changes meanwhile uses the newest key anyway.

    Raises:
        StoreUnavailableError: the database is unavailable; finished values stay, and a repeat is safe.
    """
    done = Rotation()
    async for column, row_id, owner, sealed in _sealed(database):
        try:
            resealed = cipher.reseal(owner, sealed)
        except SealBrokenError:
            done.broken += 1
            continue
        there = (_identity(column) == row_id, column == sealed)
        async with database.transaction() as connection:
            await connection.execute(update(column.table).where(*there).values({column.name: resealed}))
        done.resealed += 1
    return done


async def count_broken(database: Database, cipher: Cipher) -> int:
    """Return how many stored values no key decrypts.

    Raises:
        StoreUnavailableError: the database is unavailable.
    """
    broken = 0
    async for _, _, owner, sealed in _sealed(database):
        try:
            cipher.open(owner, sealed)
        except SealBrokenError:
            broken += 1
    return broken


async def _sealed(database: Database) -> AsyncIterator[tuple[Column[Any], str, str, bytes]]:
    for column in SEALED:
        query = select(_identity(column), column.table.c.owner, column).where(column.is_not(None))
        async with database.transaction() as connection:
            rows = (await connection.execute(query)).all()
        for row_id, owner, sealed in rows:
            yield column, row_id, owner, sealed


def _identity(column: Column[Any]) -> Column[Any]:
    (identity,) = column.table.primary_key
    return identity
