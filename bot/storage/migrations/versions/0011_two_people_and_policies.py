"""Policies, and votes on requests. Releases run side by side: the one before ignores what is new here."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("needed", sa.Integer, nullable=False, server_default="1"))
    op.add_column("requests", sa.Column("policy_version", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "requests", sa.Column("hours", sa.String(32), nullable=False, server_default="9-18 Mon-Fri")
    )
    op.add_column("requests", sa.Column("wanted_method", sa.Text))
    op.create_table(
        "policies",
        sa.Column("id", sa.String(32), primary_key=True),
        *_organization(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("set_by", sa.String(80), nullable=False),
        sa.Column("agreed_by", sa.String(80)),
        sa.Column("at", Moment, nullable=False),
        sa.Column("signature", sa.String(64), nullable=False),
    )
    key = ["tenant", "organisation_id", "base_url"]
    op.create_index("uq_policies_version", "policies", [*key, "version"], unique=True)
    op.create_table(
        "policy_changes",
        sa.Column("id", sa.String(32), primary_key=True),
        *_organization(),
        sa.Column("from_version", sa.Integer, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        *_who(),
        sa.Column("account_id", sa.String(255), nullable=False),
        sa.Column("proposed_at", Moment, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(80)),
        sa.Column("signature", sa.String(64), nullable=False),
    )
    op.create_index("ix_policy_changes_proposed_at", "policy_changes", ["proposed_at"])
    op.create_table(
        "votes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *_who(),
        sa.Column("account_id", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
        sa.Column("at", Moment, nullable=False),
        sa.Column("void_at", Moment),
        sa.Column("void_why", sa.String(16)),
        sa.Column("signature", sa.String(64), nullable=False),
    )
    op.create_index("ix_votes_request", "votes", ["request_id", "version"])
    op.create_index("ix_votes_owner", "votes", ["owner"])
    counts = sa.text("void_at IS NULL")
    op.create_index(
        "uq_votes_account",
        "votes",
        ["request_id", "version", "account_id"],
        unique=True,
        sqlite_where=counts,
        postgresql_where=counts,
    )
    of_policies = sa.text("action = 'policy'")
    op.create_index(
        "ix_audit_policies",
        "audit",
        ["subject"],
        sqlite_where=of_policies,
        postgresql_where=of_policies,
    )


def _organization() -> list[sa.Column[Any]]:
    return [
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("organisation_id", sa.String(255), nullable=False),
        sa.Column("organisation_name", sa.String(255)),
    ]


def _who() -> list[sa.Column[Any]]:
    return [
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
    ]
