"""Money and trust: the open modals of deliveries are found by their id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("deliveries", "messages"):
        has_modal = sa.text("view_id IS NOT NULL")
        op.create_index(
            f"ix_{table}_view_id", table, ["view_id"], sqlite_where=has_modal, postgresql_where=has_modal
        )
