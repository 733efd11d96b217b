"""Deliveries: durable messages about any subject.

It only adds, so a process of the previous release still works. The messages that it writes into `messages`
are delivered from there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject_kind", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.String(32), nullable=False),
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("sealed_place", sa.LargeBinary),
        sa.Column("channel", sa.String(32)),
        sa.Column("ts", sa.String(32)),
        sa.Column("posting_since", Moment),
        sa.Column("digest", sa.String(64)),
        sa.Column("drawn", sa.Integer),
        sa.Column("reply_key", sa.String(32)),
        sa.Column("replied_key", sa.String(32)),
        sa.Column("view_id", sa.String(32)),
        sa.Column("posted_at", Moment),
        sa.Column("edited_at", Moment),
        sa.Column("replied_at", Moment),
        sa.Column("due_at", Moment),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("lease_until", Moment),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("wakes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("taken_over", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.UniqueConstraint("subject_kind", "subject_id", "owner", name="uq_deliveries_subject_owner"),
    )
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"])
