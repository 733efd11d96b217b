"""What the tables are made of: moments, amounts, people, and the columns of durable work."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, TypeDecorator, false

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A timezone-aware moment in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite stores it without an offset, so that text order is time order."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return it in UTC."""
        return None if value is None else value.astimezone(UTC)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], datetime | None] | None:
        """Return what reads it; on SQLite one step from the text, as a look reads hundreds."""
        return _moment if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class Dollars(TypeDecorator[Decimal]):
    """US dollars as exact decimal text: SQLite has no exact numbers, and no SQL here sums amounts."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write plain digits, without an exponent."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read exactly what was written."""
        return None if value is None else Decimal(value)


def who() -> list[Column[Any]]:
    """Return the columns that name a Slack person; `owner` is the person's key."""
    return [
        Column("enterprise", String(32), nullable=False),
        Column("team", String(32), nullable=False),
        Column("user", String(32), nullable=False),
        Column("owner", String(80), nullable=False),
    ]


def lease_columns() -> list[Column[Any]]:
    """Return the columns that durable work needs besides its own.

    The table's `info["kind"]` names the work. Rows with `info["keep_for"]`, and a column `created_at`, are
    deleted that long after they were created, once they have ended (`bot.storage.ended_work`).
    """
    return [
        Column("due_at", Moment, index=True),
        Column("lease_token", String(32)),
        Column("lease_until", Moment),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("wakes", Integer, nullable=False, server_default="0"),
        Column("taken_over", Boolean, nullable=False, server_default=false()),
    ]
