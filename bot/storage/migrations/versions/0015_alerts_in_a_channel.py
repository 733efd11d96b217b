"""The channel to which a watch's alerts go. The release before ignores it, and tells people directly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("watches", sa.Column("post_to", sa.String(32)))
