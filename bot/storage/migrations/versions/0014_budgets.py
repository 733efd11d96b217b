"""In which channel a purchase was wanted, and what is read for budgets. The release before ignores both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("charges", sa.Column("channel", sa.String(32)))
    op.add_column("requests", sa.Column("channel", sa.String(32)))
    op.create_index("ix_charges_organisation_confirmed_at", "charges", ["organisation_id", "confirmed_at"])
