"""OAuth installations, the operator's lock, and the audit log, which triggers protect from changes.

It only adds, so a process of the previous release still works (docs/operations.md, Upgrading).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.storage.columns import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNFINISHED = sa.text("state IN ('confirmed', 'needs_scope', 'submitted', 'overdue', 'unconfirmed')")
_KEPT = ("audit", "audit_seals")


def upgrade() -> None:
    op.create_table(
        "installations",
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("enterprise", sa.String(32), nullable=False),
        sa.Column("team", sa.String(32), nullable=False, index=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("bot_user", sa.String(32), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("installed_by", sa.String(32), nullable=False),
        sa.Column("installed_at", Moment, nullable=False),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "oauth_states",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("expires_at", Moment, nullable=False),
    )
    op.create_table("homes", sa.Column("owner", sa.String(80), primary_key=True))
    op.create_table(
        "intents",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False, index=True),
    )
    op.create_table(
        "locks",
        sa.Column("home", sa.String(32), primary_key=True),
        sa.Column("locked_by", sa.String(80), nullable=False),
        sa.Column("locked_at", Moment, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_table(
        "audit",
        sa.Column("id", _BIG, primary_key=True),
        sa.Column("at", Moment, nullable=False, index=True),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("result", sa.String(80), nullable=False),
        sa.Column("origin", sa.String(120), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_seals",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("entry", _BIG, sa.ForeignKey("audit.id"), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index(
        "ix_charges_unfinished_of_owner",
        "charges",
        ["owner"],
        sqlite_where=_UNFINISHED,
        postgresql_where=_UNFINISHED,
    )
    op.create_index(
        "ix_charges_somebodys",
        "charges",
        ["created_at"],
        sqlite_where=sa.text("owner != 'forgotten'"),
        postgresql_where=sa.text("owner != 'forgotten'"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_on_sqlite()
    else:
        _refuse_changes_on_postgresql()


def _refuse_changes_on_sqlite() -> None:
    for table in _KEPT:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is only written to'); END"
            )
    # INSERT OR REPLACE deletes a row without firing the delete trigger.
    for table, column in (("audit", "id"), ("audit_seals", "number"), ("audit_seals", "entry")):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_another_{column} BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {column} = NEW.{column}) "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only written to'); END"
        )


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is only written to'; END $$"
    )
    for table in _KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
