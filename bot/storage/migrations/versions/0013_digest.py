"""When the next weekly digest of a watched balance is due. The release before ignores it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("watches", sa.Column("digest_at", Moment))
