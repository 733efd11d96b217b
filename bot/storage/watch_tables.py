"""The tables of watching: watches, who consents to them, what was read, and episodes."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, false, true

from bot.storage.columns import Dollars, Moment, lease_columns, metadata
from bot.storage.team_tables import organization

watches = Table(
    "watches",
    metadata,
    Column("id", String(32), primary_key=True),
    *organization(),
    Column("organisation_name", String(255), key="organization_name"),
    Column("enterprise", String(32), nullable=False),
    Column("team", String(32), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("low", Dollars),
    Column("critical", Dollars),
    Column("quiet_from", String(5)),
    Column("quiet_until", String(5)),
    Column("watcher", String(80)),
    Column("read_at", Moment),
    Column("failed_since", Moment),
    Column("doubted_at", Moment),
    Column("stale_since", Moment),
    Column("stale_told", Integer, nullable=False, server_default="0"),
    Column("credit", Dollars, nullable=False, server_default="0"),
    Column("changed_here_at", Moment),
    Column("digest_at", Moment),
    Column("post_to", String(32)),
    *lease_columns(),
    Index("uq_watches_organisation", "tenant", "organization_id", "base_url", unique=True),
    info={"kind": "watch"},
)

watch_consents = Table(
    "watch_consents",
    metadata,
    Column("watch_id", String(32), primary_key=True),
    Column("owner", String(80), primary_key=True, index=True),
    Column("enterprise", String(32), nullable=False),
    Column("team", String(32), nullable=False),
    Column("user", String(32), nullable=False),
    Column("watches", Boolean, nullable=False),
    Column("tells", Boolean, nullable=False),
    Column("since", Moment, nullable=False),
    Column("sees_all", Boolean, nullable=False, server_default=false()),
)

readings = Table(
    "readings",
    metadata,
    Column("watch_id", String(32), primary_key=True),
    Column("at", Moment, primary_key=True, index=True),
    Column("balance", Dollars, nullable=False),
    Column("sees_all", Boolean, nullable=False),
    Column("reload_on", Boolean),
    Column("reload_below", Dollars),
    Column("reload_to", Dollars),
    Column("cap_limit", Dollars),
    Column("cap_spent", Dollars),
    Column("method", Text),
    Column("credit", Dollars, nullable=False),
    Column("source", String(16), nullable=False),
    Column("stands", Boolean, nullable=False, server_default=true()),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("watch_id", String(32), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("level", Integer, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("worse_at", Moment, nullable=False),
    Column("told_at", Moment),
    Column("closed_at", Moment),
    Column("closed_why", String(16)),
    Column("facts", Text, nullable=False),
    Index("ix_episodes_watch", "watch_id", "opened_at"),
)
_OPEN = episodes.c.closed_at.is_(None)
Index(
    "uq_episodes_open",
    episodes.c.watch_id,
    episodes.c.kind,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

snoozes = Table(
    "snoozes",
    metadata,
    Column("episode_id", String(32), primary_key=True),
    Column("owner", String(80), primary_key=True),
    Column("until", Moment),
    Column("level", Integer, nullable=False),
)
