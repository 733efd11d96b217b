"""One index of what is unfinished, by its owner.

With two, PostgreSQL took the other one to look for a person's own, and went through everybody's. A process
of the release before works on without it.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_charges_unfinished", "charges")
