"""A settled charge has the balance that it led to. Releases run side by side: the one before ignores it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Dollars

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charges", sa.Column("balance_after", Dollars))
