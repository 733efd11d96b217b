"""Watched balances. Releases run side by side: the one before ignores these tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Dollars, Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watches",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("organisation_id", sa.String(255), nullable=False),
        sa.Column("organisation_name", sa.String(255)),
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("low", Dollars),
        sa.Column("critical", Dollars),
        sa.Column("quiet_from", sa.String(5)),
        sa.Column("quiet_until", sa.String(5)),
        sa.Column("watcher", sa.String(80)),
        sa.Column("read_at", Moment),
        sa.Column("failed_since", Moment),
        sa.Column("doubted_at", Moment),
        sa.Column("stale_since", Moment),
        sa.Column("stale_told", sa.Integer, nullable=False, server_default="0"),
        sa.Column("credit", Dollars, nullable=False, server_default="0"),
        sa.Column("changed_here_at", Moment),
        sa.Column("due_at", Moment),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("lease_until", Moment),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("wakes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("taken_over", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_watches_due_at", "watches", ["due_at"])
    key = ["tenant", "organisation_id", "base_url"]
    op.create_index("uq_watches_organisation", "watches", key, unique=True)
    op.create_table(
        "watch_consents",
        sa.Column("watch_id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("watches", sa.Boolean, nullable=False),
        sa.Column("tells", sa.Boolean, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.Column("sees_all", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_watch_consents_owner", "watch_consents", ["owner"])
    op.create_table(
        "readings",
        sa.Column("watch_id", sa.String(32), primary_key=True),
        sa.Column("at", Moment, primary_key=True),
        sa.Column("balance", Dollars, nullable=False),
        sa.Column("sees_all", sa.Boolean, nullable=False),
        sa.Column("reload_on", sa.Boolean),
        sa.Column("reload_below", Dollars),
        sa.Column("reload_to", Dollars),
        sa.Column("cap_limit", Dollars),
        sa.Column("cap_spent", Dollars),
        sa.Column("method", sa.Text),
        sa.Column("credit", Dollars, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
    )
    op.create_index("ix_readings_at", "readings", ["at"])
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("watch_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.Column("worse_at", Moment, nullable=False),
        sa.Column("told_at", Moment),
        sa.Column("closed_at", Moment),
        sa.Column("closed_why", sa.String(16)),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_index("ix_episodes_watch", "episodes", ["watch_id", "opened_at"])
    is_open = sa.text("closed_at IS NULL")
    op.create_index(
        "uq_episodes_open",
        "episodes",
        ["watch_id", "kind"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "snoozes",
        sa.Column("episode_id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("until", Moment),
        sa.Column("level", sa.Integer, nullable=False),
    )
