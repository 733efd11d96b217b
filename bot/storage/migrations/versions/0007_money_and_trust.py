"""Money and trust: grants with ids of their own, tokens that are unverified after a rotation, signatures.

`bot.storage.signatures` signs what is under way.

This release is not rolled: stop all processes, migrate, start (docs/operations.md).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("grant_id", sa.String(32), nullable=False, server_default=""))
    op.add_column("links", sa.Column("is_verified", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("links", sa.Column("refreshing_until", Moment))
    op.add_column("links", sa.Column("reminded_at", Moment))
    embedded = op.get_bind().dialect.name == "sqlite"
    random = "lower(hex(randomblob(16)))" if embedded else "replace(gen_random_uuid()::text, '-', '')"
    op.execute(f"UPDATE links SET grant_id = {random}")
    for name in ("offer_signature", "confirmation_signature"):
        op.add_column("charges", sa.Column(name, sa.String(64)))
    of_locks = sa.text("action IN ('lock', 'unlock')")
    op.create_index(
        "ix_audit_locks", "audit", ["subject", "id"], sqlite_where=of_locks, postgresql_where=of_locks
    )
    op.create_table(
        "seen_requests",
        sa.Column("signature", sa.String(80), primary_key=True),
        sa.Column("at", Moment, nullable=False),
    )
    op.create_index("ix_seen_requests_at", "seen_requests", ["at"])
    op.create_table("turns", sa.Column("name", sa.String(32), primary_key=True))
    op.execute("INSERT INTO turns (name) VALUES ('seal the audit log')")
    unfinished = sa.text("state IN ('confirmed', 'needs_scope', 'submitted', 'overdue', 'unconfirmed')")
    op.create_index(
        "ix_charges_unfinished_of_account",
        "charges",
        ["account_id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("ix_charges_account_created_at", "charges", ["account_id", "created_at"])
