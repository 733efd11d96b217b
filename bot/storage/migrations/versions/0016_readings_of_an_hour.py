"""Which readings stand for their hour; all that the release before writes do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("readings", sa.Column("stands", sa.Boolean, nullable=False, server_default=sa.true()))
