"""Payment methods as facts, wider amounts and ids as the portal sends them, and overviews.

It only adds and widens, so a process of the previous release still works. `charges.card`, the name of a
card, is still read for older charges but no longer written.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AMOUNT = sa.String(64)


def upgrade() -> None:
    op.add_column("charges", sa.Column("payment_method", sa.Text))
    op.add_column("charges", sa.Column("account_email", sa.String(320)))
    op.add_column("charges", sa.Column("permitted_at", Moment))
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps text of any length in any column
        op.alter_column("charges", "portal_charge_id", type_=sa.String(2000))
        op.alter_column("charges", "amount", type_=_AMOUNT)
        op.alter_column("charges", "settled_amount", type_=_AMOUNT)
    op.create_table(
        "overviews",
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("sealed_url", sa.LargeBinary, nullable=False),
        sa.Column("issued_at", Moment, nullable=False),
        sa.Column("drawn_at", Moment, nullable=False),
    )
