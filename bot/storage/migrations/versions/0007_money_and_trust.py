"""Money and trust: each grant has an id of its own, and rotated tokens are unverified until asked about.

This release is not rolled: stop all processes, migrate, start (docs/operations.md).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("grant_id", sa.String(32), nullable=False, server_default=""))
    op.add_column("links", sa.Column("is_verified", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("links", sa.Column("refreshing_until", Moment))
    embedded = op.get_bind().dialect.name == "sqlite"
    random = "lower(hex(randomblob(16)))" if embedded else "replace(gen_random_uuid()::text, '-', '')"
    op.execute(f"UPDATE links SET grant_id = {random}")
