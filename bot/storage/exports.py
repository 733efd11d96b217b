"""The purchases of an export: each charge with the request that it pays for, and who agreed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from bot.domain.charge import ChargeState
from bot.storage.audit import GENESIS
from bot.storage.charges.rows import charge_of
from bot.storage.tables import audit, audit_seals, charges, requests
from bot.storage.team_tables import votes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from bot.domain.charge import Charge
    from bot.storage.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What is exported: an organization's purchases that were confirmed from `since` until before `until`.

    Times are UTC. `tenant` limits it to a workspace or grid, and `owner` to one person's own purchases.
    """

    organization_id: str
    since: datetime
    until: datetime
    tenant: str | None = None
    owner: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Purchase:
    """One confirmed purchase, and the request that it pays for. Times are UTC, people are Slack ids."""

    charge: Charge
    settled_at: datetime | None
    asked_at: datetime | None = None
    requester: str | None = None
    reason: str | None = None
    policy_version: int | None = None
    first_approver: str | None = None
    first_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """The audit log's head, and the first and last number of the entries in a time; None without one."""

    head: str
    first: int | None
    last: int | None


async def is_known(database: Database, organization_id: str) -> bool:
    """Tell whether the app has ever had to do with an organization."""
    async with database.read() as connection:
        for table in (charges, requests):
            query = select(table.c.id).where(table.c.organization_id == organization_id).limit(1)
            if await connection.scalar(query) is not None:
                return True
    return False


async def purchases_in(database: Database, span: Span) -> Sequence[Purchase]:
    """Return the confirmed purchases, oldest first."""
    of_request = and_(
        votes.c.request_id == charges.c.request_id, votes.c.version == charges.c.request_version
    )
    counts = and_(of_request, votes.c.void_at.is_(None), votes.c.user != charges.c.user)
    first_at = select(func.min(votes.c.at)).where(counts).scalar_subquery()
    first = select(votes.c.user).where(counts).order_by(votes.c.at).limit(1).scalar_subquery()
    query = (
        select(
            charges,
            requests.c.user.label("requester"),
            requests.c.asked_at,
            requests.c.reason,
            requests.c.policy_version,
            first.label("first_approver"),
            first_at.label("first_at"),
        )
        .outerjoin(requests, requests.c.id == charges.c.request_id)
        .where(*_conditions(span))
        .order_by(charges.c.confirmed_at, charges.c.id)
    )
    async with database.read() as connection:
        return [_purchase(row) for row in await connection.execute(query)]


def _conditions(span: Span) -> list[ColumnElement[bool]]:
    found = [
        charges.c.organization_id == span.organization_id,
        charges.c.confirmed_at >= span.since,
        charges.c.confirmed_at < span.until,
    ]
    if span.tenant is not None:
        found.append(charges.c.owner.startswith(f"{span.tenant}:", autoescape=True))
    if span.owner is not None:
        found.append(charges.c.owner == span.owner)
    return found


def _purchase(row: Row[Any]) -> Purchase:
    charge = charge_of(row)
    is_settled = charge.state is ChargeState.SETTLED
    return Purchase(
        charge=charge,
        settled_at=charge.ended_at if is_settled else None,
        asked_at=row.asked_at,
        requester=row.requester,
        reason=row.reason,
        policy_version=row.policy_version,
        first_approver=row.first_approver,
        first_at=row.first_at,
    )


async def sealed_in(database: Database, span: Span) -> Sealed:
    """Return where the audit log stands, and which entries fall into a time."""
    at = (audit.c.at >= span.since, audit.c.at < span.until)
    numbers = select(func.min(audit_seals.c.number), func.max(audit_seals.c.number)).join(
        audit, audit.c.id == audit_seals.c.entry
    )
    head = select(audit_seals.c.digest).order_by(audit_seals.c.number.desc()).limit(1)
    async with database.read() as connection:
        first, last = (await connection.execute(numbers.where(*at))).one()
        return Sealed(head=await connection.scalar(head) or GENESIS, first=first, last=last)
