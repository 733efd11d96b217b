"""Requests for funds. Releases run side by side: the one before ignores what is new here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Dollars, Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

GOING_ON = sa.text("state IN ('open', 'charging', 'unresolved')")


def upgrade() -> None:
    op.add_column("links", sa.Column("may_charge", sa.Boolean))
    op.create_index("ix_links_organisation", "links", ["organisation_id"])
    op.add_column("charges", sa.Column("request_id", sa.String(32)))
    op.add_column("charges", sa.Column("request_version", sa.Integer))
    op.create_table(
        "requests",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("account_id", sa.String(255), nullable=False),
        sa.Column("organisation_id", sa.String(255), nullable=False),
        sa.Column("organisation_name", sa.String(255)),
        sa.Column("amount", Dollars, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("charge_id", sa.String(32)),
        sa.Column("decided_at", Moment),
        sa.Column("decided_by", sa.String(80)),
        sa.Column("deny_reason", sa.Text),
        sa.Column("withdrawn_why", sa.String(16)),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("problem", sa.String(40)),
        sa.Column("not_before", Moment),
        sa.Column("reminders", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reminded_at", Moment),
        sa.Column("zone", sa.String(64), nullable=False, server_default="UTC"),
        sa.Column("escalated_at", Moment),
        sa.Column("due_at", Moment),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("lease_until", Moment),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("wakes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("taken_over", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "away",
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("until", Moment, nullable=False),
        sa.Column("delegate", sa.String(32)),
    )
    op.create_index("ix_away_until", "away", ["until"])
    op.create_index("ix_requests_due_at", "requests", ["due_at"])
    op.create_index("ix_requests_owner_asked_at", "requests", ["owner", "asked_at"])
    op.create_index("ix_requests_organisation", "requests", ["tenant", "organisation_id", "asked_at"])
    op.create_index(
        "uq_requests_going_on",
        "requests",
        ["owner", "base_url", "organisation_id", "amount"],
        unique=True,
        sqlite_where=GOING_ON,
        postgresql_where=GOING_ON,
    )
    op.create_index(
        "ix_requests_going_on_of",
        "requests",
        ["tenant", "organisation_id"],
        sqlite_where=GOING_ON,
        postgresql_where=GOING_ON,
    )
