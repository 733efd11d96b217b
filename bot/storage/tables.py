"""The schema. Each change needs a new migration."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    true,
)

from bot.domain.charge import UNFINISHED
from bot.domain.request import GOING_ON
from bot.domain.working_hours import USUAL_HOURS
from bot.storage.columns import Dollars, Moment, lease_columns, metadata, who

links = Table(
    "links",
    metadata,
    Column("owner", String(80), primary_key=True),
    Column("enterprise", String(32), nullable=False),
    Column("team", String(32), nullable=False),
    Column("user", String(32), nullable=False),
    Column("base_url", String(500), nullable=False),
    Column("account_id", String(255), nullable=False),
    Column("email", String(320)),
    Column("organisation_id", String(255), key="organization_id", nullable=False),
    Column("organisation_name", String(255), key="organization_name"),
    Column("scope", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("sealed_tokens", LargeBinary),
    Column("generation", Integer, nullable=False),
    Column("linked_at", Moment, nullable=False),
    Column("grant_id", String(32), nullable=False, server_default=""),
    Column("is_verified", Boolean, nullable=False, server_default=true()),
    Column("refreshing_until", Moment),
    Column("reminded_at", Moment),
    Column("waits_since", Moment),
    Column("may_charge", Boolean),
    Index("ix_links_organisation", "organization_id"),
)
"""`may_charge`: what the portal last said of the person; it decides who is told, and allows nothing."""

let_in = Table(
    "let_in",
    metadata,
    Column("base_url", String(500), primary_key=True),
    Column("account_id", String(255), primary_key=True),
    Column("owner", String(80), primary_key=True, index=True),
    Column("at", Moment, nullable=False),
)
"""People who may be connected to a portal account beside others, because one of those said so."""

charges = Table(
    "charges",
    metadata,
    Column("id", String(32), primary_key=True),
    *who(),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("amount", Dollars, nullable=False),
    Column("tier_id", String(255)),
    Column("tier_name", String(255)),
    Column("idempotency_key", String(64), nullable=False, unique=True),
    Column("account_id", String(255), nullable=False),
    Column("organisation_id", String(255), key="organization_id", nullable=False),
    Column("organisation_name", String(255), key="organization_name"),
    Column("account_email", String(320)),
    Column("payment_method", Text),
    Column("card", String(120)),
    Column("created_at", Moment, nullable=False),
    Column("confirmed_at", Moment),
    Column("submitted_at", Moment),
    Column("ended_at", Moment),
    Column("check_asked_at", Moment),
    Column("checked_at", Moment),
    Column("deadline", Moment),
    # SQLite stores text of any length, and cannot change a column's declared length.
    Column("portal_charge_id", String(2000).with_variant(String(255), "sqlite")),
    Column("settled_amount", Dollars),
    Column("balance_after", Dollars),
    Column("failure", String(40)),
    Column("refusal", String(40)),
    Column("refusal_detail", Text),
    Column("retry_at", Moment),
    Column("portal_url", Text),
    Column("ambiguous_since", Moment),
    Column("permitted_at", Moment),
    Column("posts", Integer, nullable=False, server_default="0"),
    Column("first_post_at", Moment),
    Column("last_post_at", Moment),
    Column("polls", Integer, nullable=False, server_default="0"),
    Column("first_poll_at", Moment),
    Column("last_poll_at", Moment),
    Column("offer_signature", String(64)),
    Column("confirmation_signature", String(64)),
    Column("request_id", String(32)),
    Column("request_version", Integer),
    Column("channel", String(32)),
    *lease_columns(),
    Index("ix_charges_owner_created_at", "owner", "created_at"),
    Index("ix_charges_organisation_confirmed_at", "organization_id", "confirmed_at"),
    info={"kind": "charge"},
)
Index(
    "ix_charges_unfinished_of_owner",
    charges.c.owner,
    sqlite_where=charges.c.state.in_([state.value for state in UNFINISHED]),
    postgresql_where=charges.c.state.in_([state.value for state in UNFINISHED]),
)

Index(
    "ix_charges_unfinished_of_account",
    charges.c.account_id,
    sqlite_where=charges.c.state.in_([state.value for state in UNFINISHED]),
    postgresql_where=charges.c.state.in_([state.value for state in UNFINISHED]),
)
Index("ix_charges_account_created_at", charges.c.account_id, charges.c.created_at)

Index(  # what the purge looks through
    "ix_charges_somebodys",
    charges.c.created_at,
    sqlite_where=charges.c.owner != "forgotten",
    postgresql_where=charges.c.owner != "forgotten",
)

messages = Table(  # written by the previous release; replaced by `deliveries`
    "messages",
    metadata,
    Column("id", String(32), ForeignKey("charges.id"), primary_key=True),
    Column("channel", String(32)),
    Column("ts", String(32)),
    Column("posting_since", Moment),
    Column("shown", String(64), key="digest"),
    Column("reply_state", String(16), key="reply_key"),
    Column("replied_state", String(16), key="replied_key"),
    Column("view_id", String(32)),
    Column("posted_at", Moment),
    Column("edited_at", Moment),
    Column("replied_at", Moment),
    *lease_columns(),
    info={"kind": "message"},
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject_kind", String(32), nullable=False),
    Column("subject_id", String(32), nullable=False),
    *who(),
    Column("created_at", Moment, nullable=False),
    Column("sealed_place", LargeBinary),
    Column("channel", String(32)),
    Column("ts", String(32)),
    Column("posting_since", Moment),
    Column("digest", String(64)),
    Column("drawn", Integer),
    Column("reply_key", String(32)),
    Column("replied_key", String(32)),
    Column("view_id", String(32)),
    Column("posted_at", Moment),
    Column("edited_at", Moment),
    Column("replied_at", Moment),
    *lease_columns(),
    UniqueConstraint("subject_kind", "subject_id", "owner", name="uq_deliveries_subject_owner"),
    info={"kind": "delivery"},
)
"""`wakes` is the subject's newest version; `drawn` is the version that the message shows."""

requests = Table(
    "requests",
    metadata,
    Column("id", String(32), primary_key=True),
    *who(),
    Column("tenant", String(32), nullable=False),
    Column("base_url", String(500), nullable=False),
    Column("account_id", String(255), nullable=False),
    Column("organisation_id", String(255), key="organization_id", nullable=False),
    Column("organisation_name", String(255), key="organization_name"),
    Column("amount", Dollars, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("charge_id", String(32)),
    Column("decided_at", Moment),
    Column("decided_by", String(80)),
    Column("deny_reason", Text),
    Column("withdrawn_why", String(16)),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("problem", String(40)),
    Column("not_before", Moment),
    Column("reminders", Integer, nullable=False, server_default="0"),
    Column("reminded_at", Moment),
    Column("zone", String(64), nullable=False, server_default="UTC"),
    Column("escalated_at", Moment),
    Column("needed", Integer, nullable=False, server_default="1"),
    Column("policy_version", Integer, nullable=False, server_default="0"),
    Column("hours", String(32), nullable=False, server_default=USUAL_HOURS),
    Column("wanted_method", Text),
    Column("channel", String(32)),
    *lease_columns(),
    Index("ix_requests_owner_asked_at", "owner", "asked_at"),
    Index("ix_requests_organisation", "tenant", "organization_id", "asked_at"),
    info={"kind": "request"},
)
_GOING_ON = requests.c.state.in_([literal_column(f"'{state.value}'") for state in GOING_ON])
Index(
    "uq_requests_going_on",
    requests.c.owner,
    requests.c.base_url,
    requests.c.organization_id,
    requests.c.amount,
    unique=True,
    sqlite_where=_GOING_ON,
    postgresql_where=_GOING_ON,
)
Index(
    "ix_requests_going_on_of",
    requests.c.tenant,
    requests.c.organization_id,
    sqlite_where=_GOING_ON,
    postgresql_where=_GOING_ON,
)

away = Table(
    "away",
    metadata,
    Column("owner", String(80), primary_key=True),
    Column("until", Moment, nullable=False, index=True),
    Column("delegate", String(32)),
)
"""People who are not told of requests for a while; they may still decide."""

device_grants = Table(
    "device_grants",
    metadata,
    Column("id", String(32), primary_key=True),
    *who(),
    Column("state", String(16), nullable=False),
    Column("base_url", String(500), nullable=False),
    Column("asked_scope", Text, nullable=False),
    Column("wanted", String(120), key="purpose"),
    Column("interval_seconds", Integer, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sealed_codes", LargeBinary),
    Column("sealed_tokens", LargeBinary),
    Column("told_at", Moment, key="notified_at"),
    *lease_columns(),
    Index("ix_device_grants_owner", "owner"),
    info={"kind": "device_grant", "keep_for": timedelta(days=7)},
)

installations = Table(
    "installations",
    metadata,
    Column("owner", String(80), primary_key=True),
    Column("enterprise", String(32), nullable=False),
    Column("team", String(32), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("bot_user", String(32), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("installed_by", String(32), nullable=False),
    Column("installed_at", Moment, nullable=False),
    Column("sealed_token", LargeBinary, nullable=False),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", Moment, nullable=False),
)

app_home_viewers = Table("homes", metadata, Column("owner", String(80), primary_key=True))

overviews = Table(
    "overviews",
    metadata,
    Column("owner", String(80), primary_key=True),
    Column("sealed_url", LargeBinary, nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("drawn_at", Moment, nullable=False),
)

pending_confirmations = Table(
    "intents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(80), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("facts", Text, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
)

locks = Table(
    "locks",
    metadata,
    Column("home", String(32), key="tenant", primary_key=True),
    Column("locked_by", String(80), nullable=False),
    Column("locked_at", Moment, nullable=False),
    Column("reason", Text),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("result", String(80), nullable=False),
    Column("origin", String(120), nullable=False),
    Column("facts", Text, nullable=False),
)
"""Rows are added and read, never changed: triggers refuse updates and deletions."""
_OF_LOCKS = audit.c.action.in_([literal_column("'lock'"), literal_column("'unlock'")])
Index("ix_audit_locks", audit.c.subject, audit.c.id, sqlite_where=_OF_LOCKS, postgresql_where=_OF_LOCKS)
_OF_POLICIES = audit.c.action == literal_column("'policy'")
Index("ix_audit_policies", audit.c.subject, sqlite_where=_OF_POLICIES, postgresql_where=_OF_POLICIES)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column(
        "entry",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("audit.id"),
        nullable=False,
        unique=True,
    ),
    Column("digest", String(64), nullable=False),
)
"""The hash chain: each digest covers an entry and the digest before it. Rows are never changed."""

turns = Table("turns", metadata, Column("name", String(32), primary_key=True))
"""Rows to lock: a transaction holds the row of a person or an account, and others for the same wait."""

seen_requests = Table(
    "seen_requests",
    metadata,
    Column("signature", String(80), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
)
"""The signatures of requests that have changed something, for as long as they could be sent again."""

pulse = Table(
    "pulse", metadata, Column("id", Integer, primary_key=True), Column("at", Moment, nullable=False)
)
