"""The times of a charge's events, takeovers, and a row to test that the database can be written.

It only adds, so a process of the previous release still works (docs/operations.md, Upgrading).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("state IN ('confirmed', 'needs_scope', 'submitted', 'overdue', 'unconfirmed')")


def upgrade() -> None:
    for table in ("charges", "messages", "device_grants"):
        op.add_column(table, sa.Column("taken_over", sa.Boolean, nullable=False, server_default=sa.false()))
    for name in ("post", "poll"):
        op.add_column("charges", sa.Column(f"{name}s", sa.Integer, nullable=False, server_default="0"))
        op.add_column("charges", sa.Column(f"first_{name}_at", Moment))
        op.add_column("charges", sa.Column(f"last_{name}_at", Moment))
    for name in ("posted_at", "edited_at", "replied_at"):
        op.add_column("messages", sa.Column(name, Moment))
    op.create_index(
        "ix_charges_unfinished",
        "charges",
        ["state", "confirmed_at"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_table(
        "pulse", sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", Moment, nullable=False)
    )
