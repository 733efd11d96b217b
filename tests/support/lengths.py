"""SQLite takes text of any length, and PostgreSQL does not: what is stored must fit both."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import String

from bot.storage.columns import metadata


def too_long(database_url: str) -> list[str]:
    """Name the columns of an embedded ledger that hold longer text than PostgreSQL would take."""
    file = Path(database_url.removeprefix("sqlite:///"))
    if not database_url.startswith("sqlite") or not file.exists():
        return []
    found = []
    with closing(sqlite3.connect(file)) as connection:
        for table in metadata.tables.values():
            bounded = {
                column.name: column.type.length
                for column in table.columns
                if isinstance(column.type, String) and column.type.length
            }
            if bounded:
                longest = ", ".join(f'max(length("{name}"))' for name in bounded)
                row = connection.execute(f"SELECT {longest} FROM {table.name}").fetchone()  # noqa: S608 - our own names
                found += [
                    f"{table.name}.{name}"
                    for (name, most), length in zip(bounded.items(), row, strict=True)
                    if length is not None and length > most
                ]
    return found
