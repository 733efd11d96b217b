"""The schema. Each change needs a new migration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    literal_column,
    true,
)

from bot.domain.charge import UNFINISHED

if TYPE_CHECKING:
    from sqlalchemy import Dialect

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """A timezone-aware moment in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite stores it without an offset, so that text order is time order."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return it timezone-aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Dollars(TypeDecorator[Decimal]):
    """US dollars as exact decimal text: SQLite has no exact numbers, and no SQL here sums amounts."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write plain digits, without an exponent."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Read exactly what was written."""
        return None if value is None else Decimal(value)


def _who() -> list[Column[Any]]:
    return [
        Column("enterprise", String(32), nullable=False),
        Column("team", String(32), nullable=False),
        Column("user", String(32), nullable=False),
        Column("owner", String(80), nullable=False),
    ]


def lease_columns() -> list[Column[Any]]:
    """Return the columns that durable work needs besides its own.

    The table's `info["kind"]` names the work. Rows with `info["keep_for"]`, and a column `created_at`, are
    deleted that long after they were created, once they have ended (`bot.storage.ended_work`).
    """
    return [
        Column("due_at", Moment, index=True),
        Column("lease_token", String(32)),
        Column("lease_until", Moment),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("wakes", Integer, nullable=False, server_default="0"),
        Column("taken_over", Boolean, nullable=False, server_default=false()),
    ]


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
)

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
    *_who(),
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
    *lease_columns(),
    Index("ix_charges_owner_created_at", "owner", "created_at"),
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
    *_who(),
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

device_grants = Table(
    "device_grants",
    metadata,
    Column("id", String(32), primary_key=True),
    *_who(),
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
