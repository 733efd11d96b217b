"""The purchases of an export: each charge with the request that it pays for, and who agreed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from bot.domain.charge import ChargeKind, ChargeState
from bot.domain.policy import Policy
from bot.storage.audit import GENESIS
from bot.storage.charges.rows import charge_of
from bot.storage.tables import audit, audit_seals, charges, requests
from bot.storage.team_tables import policies, votes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Select

    from bot.domain.budget import Budget
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
    channel: str | None = None
    budgets: tuple[Budget, ...] = ()
    """Those that counted it, by the policy in force when it was confirmed."""


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
            func.coalesce(requests.c.channel, charges.c.channel).label("in_channel"),
            first.label("first_approver"),
            first_at.label("first_at"),
        )
        .outerjoin(requests, requests.c.id == charges.c.request_id)
        .where(*_conditions(span))
        .order_by(charges.c.confirmed_at, charges.c.id)
    )
    async with database.read() as connection:
        found = (await connection.execute(query)).all()
        history = (await connection.execute(_policies_of(span.organization_id))).all()
    return [_purchase(row, history) for row in found]


def _policies_of(organization_id: str) -> Select[Any]:
    row = policies.c
    newest_first = select(row.tenant, row.version, row.facts, row.at).order_by(row.version.desc())
    return newest_first.where(row.organization_id == organization_id)


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


def _purchase(row: Row[Any], history: Sequence[Row[Any]]) -> Purchase:
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
        channel=row.in_channel,
        budgets=_budgets(charge, row.requester or charge.identity.user, row.in_channel, history),
    )


def _budgets(
    charge: Charge, user: str, channel: str | None, history: Sequence[Row[Any]]
) -> tuple[Budget, ...]:
    """Return the budgets that counted a purchase for this person in this channel."""
    confirmed_at = charge.confirmed_at
    if charge.kind is not ChargeKind.TOP_UP or confirmed_at is None:
        return ()
    in_force = (
        each for each in history if each.tenant == charge.identity.tenant and each.at <= confirmed_at
    )
    newest = next(in_force, None)
    return (
        () if newest is None else Policy.from_text(newest.facts, newest.version).budgets_of(user, channel)
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
