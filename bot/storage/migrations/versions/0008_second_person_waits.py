"""Of several people with one portal account, all but the first wait until one lets them in.

Of those who are connected already, the one with the oldest link is the first. The others are asked about
and told like new ones.

This release is not rolled: stop all processes, migrate, start (docs/operations.md).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

from bot.domain.identity import GRANT_LIFE
from bot.storage.columns import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

links = sa.table(
    "links",
    *(
        sa.column(name)
        for name in ("owner", "enterprise", "team", "user", "base_url", "account_id", "email")
    ),
    *(sa.column(name) for name in ("grant_id", "sealed_tokens")),
    sa.column("linked_at", Moment),
    sa.column("waits_since", Moment),
)
deliveries = sa.table(
    "deliveries",
    *(
        sa.column(name)
        for name in ("id", "subject_kind", "subject_id", "enterprise", "team", "user", "owner")
    ),
    sa.column("created_at", Moment),
    sa.column("due_at", Moment),
)


def upgrade() -> None:
    op.add_column("links", sa.Column("waits_since", Moment))
    op.create_table(
        "let_in",
        sa.Column("base_url", sa.String(500), primary_key=True),
        sa.Column("account_id", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(80), primary_key=True),
        sa.Column("at", Moment, nullable=False),
    )
    op.create_index("ix_let_in_owner", "let_in", ["owner"])
    now = datetime.now(UTC)
    for first, second in _pairs(now):
        op.execute(links.update().where(links.c.owner == second.owner).values(waits_since=now))
        op.execute(deliveries.insert().values(_delivery("second_person", second, to=first, now=now)))
        op.execute(deliveries.insert().values(_delivery("waiting", second, to=second, now=now)))


def _pairs(now: datetime) -> Iterator[tuple[sa.Row[Any], sa.Row[Any]]]:
    """Yield each person who is not the first of their portal account, after that first."""
    live = links.select().where(links.c.sealed_tokens.is_not(None), links.c.linked_at > now - GRANT_LIFE)
    firsts: list[sa.Row[Any]] = []
    for link in op.get_bind().execute(live.order_by(links.c.linked_at)).all():
        first = next((each for each in firsts if _is_same_account(each, link)), None)
        if first is None:
            firsts.append(link)
        else:
            yield first, link


def _is_same_account(one: sa.Row[Any], other: sa.Row[Any]) -> bool:
    if one.base_url != other.base_url:
        return False
    is_same_email = bool(one.email) and one.email.lower() == (other.email or "").lower()
    return bool(one.account_id == other.account_id) or is_same_email


def _delivery(kind: str, about: sa.Row[Any], *, to: sa.Row[Any], now: datetime) -> dict[str, Any]:
    who: Sequence[str] = ("enterprise", "team", "user", "owner")
    return {
        "id": secrets.token_hex(16),
        "subject_kind": kind,
        "subject_id": about.grant_id,
        **{name: getattr(to, name) for name in who},
        "created_at": now,
        "due_at": now,
    }
