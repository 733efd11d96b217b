"""The tables of what a team agrees on: policies, their proposed changes, and votes on requests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Integer, String, Table, Text

from bot.storage.columns import Moment, metadata, who


def organization() -> list[Column[Any]]:
    """Return the columns that name an organization of a portal, within one workspace or grid."""
    return [
        Column("tenant", String(32), nullable=False),
        Column("base_url", String(500), nullable=False),
        Column("organisation_id", String(255), key="organization_id", nullable=False),
    ]


policies = Table(
    "policies",
    metadata,
    Column("id", String(32), primary_key=True),
    *organization(),
    Column("organisation_name", String(255), key="organization_name"),
    Column("version", Integer, nullable=False),
    Column("facts", Text, nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("agreed_by", String(80)),
    Column("at", Moment, nullable=False),
    Column("signature", String(64), nullable=False),
    Index("uq_policies_version", "tenant", "organization_id", "base_url", "version", unique=True),
)
"""Every version is kept: an open request follows the strictest since it was filed."""

policy_changes = Table(
    "policy_changes",
    metadata,
    Column("id", String(32), primary_key=True),
    *organization(),
    Column("organisation_name", String(255), key="organization_name"),
    Column("from_version", Integer, nullable=False),
    Column("facts", Text, nullable=False),
    *who(),
    Column("account_id", String(255), nullable=False),
    Column("proposed_at", Moment, nullable=False, index=True),
    Column("expires_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),
    Column("decided_by", String(80)),
    Column("signature", String(64), nullable=False),
)
"""Looser policies that wait for a second person."""

votes = Table(
    "votes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request_id", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    *who(),
    Column("account_id", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("method", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("void_at", Moment),
    Column("void_why", String(16)),
    Column("signature", String(64), nullable=False),
    Index("ix_votes_request", "request_id", "version"),
    Index("ix_votes_owner", "owner"),
)
_COUNTS = votes.c.void_at.is_(None)
Index(
    "uq_votes_account",
    votes.c.request_id,
    votes.c.version,
    votes.c.account_id,
    unique=True,
    sqlite_where=_COUNTS,
    postgresql_where=_COUNTS,
)
