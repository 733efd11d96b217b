"""One index of unfinished charges, by owner.

With two indices, PostgreSQL used the other one to find a person's charges, and scanned all people's. A
process of the previous release works without it.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_charges_unfinished", "charges")
