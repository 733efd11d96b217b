"""Deletes durable things some time after they have ended, together with their deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists

from bot.storage.columns import metadata
from bot.storage.tables import deliveries, seen_requests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Table

    from bot.storage.connection import Transaction
    from bot.storage.database import Database


class EndedWork:
    """The ended things of every table whose `info` names a `keep_for`; without it they are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_old(self) -> None:
        """Delete what was created more than `keep_for` ago, is not due any more, and is held by no run."""
        for table in metadata.sorted_tables:
            if "keep_for" in table.info:
                async with self._database.transaction() as transaction:
                    await _delete_old(transaction, table)

    async def delete_seen_requests(self, *, before: datetime) -> None:
        """Delete the signatures of requests that Slack's five minutes keep from being sent again."""
        async with self._database.transaction() as transaction:
            await transaction.execute(delete(seen_requests).where(seen_requests.c.at < before))

    async def delete_notices(self, subject_kinds: Sequence[str], *, before: datetime) -> None:
        """Delete delivered messages about what has no table of its own."""
        row = deliveries.c
        async with self._database.transaction() as transaction:
            await transaction.execute(
                delete(deliveries).where(
                    row.subject_kind.in_(subject_kinds), row.created_at < before, row.due_at.is_(None)
                )
            )


async def _delete_old(transaction: Transaction, table: Table) -> None:
    before = transaction.now() - table.info["keep_for"]
    ended = (table.c.created_at < before, table.c.due_at.is_(None), table.c.lease_token.is_(None))
    await transaction.execute(delete(table).where(*ended))
    row = deliveries.c
    await transaction.execute(
        delete(deliveries).where(
            row.subject_kind == table.info["kind"],
            row.due_at.is_(None),
            row.lease_token.is_(None),
            ~exists().where(table.c.id == row.subject_id),
        )
    )
