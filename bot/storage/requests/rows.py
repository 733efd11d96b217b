"""A request's row: to it and back, the conditions that statements share, and its audit entries."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal_column

from bot.domain.audit import Action
from bot.domain.identity import Identity
from bot.domain.request import GOING_ON, FundsRequest, RequestState, Withdrawal
from bot.storage.tables import requests

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

    from bot.domain.request import OrganizationKey
    from bot.storage.connection import Transaction

REQUEST = "request"
"""The kind of subject of a request's messages, one for each reader: the request's id."""

_PLAIN = tuple(each.name for each in fields(FundsRequest) if each.name != "requester")
# Literals, because the partial indices need them.
IS_OPEN = requests.c.state == literal_column(f"'{RequestState.OPEN.value}'")
IS_GOING_ON = requests.c.state.in_([literal_column(f"'{state.value}'") for state in GOING_ON])


def request_of(row: Row[Any]) -> FundsRequest:
    """Read a request from its row."""
    values = {name: getattr(row, name) for name in _PLAIN}
    values["state"] = RequestState(row.state)
    values["withdrawn_why"] = Withdrawal(row.withdrawn_why) if row.withdrawn_why else None
    return FundsRequest(
        requester=Identity(enterprise=row.enterprise, team=row.team, user=row.user), **values
    )


def values_of(request: FundsRequest) -> dict[str, Any]:
    """Return the column values of a new row; it is due when time does something with it."""
    who = request.requester
    return {
        **{name: _stored(getattr(request, name)) for name in _PLAIN},
        "enterprise": who.enterprise,
        "team": who.team,
        "user": who.user,
        "owner": who.key,
        "tenant": who.tenant,
        "due_at": request.due_at(),
    }


def difference(before: FundsRequest, after: FundsRequest) -> dict[str, Any]:
    """Return the columns that differ, with their values `after`."""
    return {
        name: _stored(getattr(after, name))
        for name in _PLAIN
        if getattr(before, name) != getattr(after, name)
    }


def of_organization(key: OrganizationKey) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for an organization's requests."""
    row = requests.c
    return (
        row.tenant == key.tenant,
        row.organization_id == key.organization_id,
        row.base_url == key.base_url,
    )


def _stored(value: Any) -> Any:  # noqa: ANN401 - a column's value
    return value.value if isinstance(value, Enum) else value


def as_seen(before: FundsRequest) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row is as it was read, as far as anybody can have changed it since."""
    row = requests.c
    return (
        row.state == before.state.value,
        row.version == before.version,
        row.charge_id.is_not_distinct_from(before.charge_id),
        row.reminders == before.reminders,
    )


async def record_request(
    transaction: Transaction, request: FundsRequest, result: str, *, actor: str
) -> None:
    """Record an event of a request. What people wrote is there as a hash, so that it can be forgotten."""
    await transaction.record(
        Action.REQUEST,
        actor=actor,
        subject=request.id,
        result=result,
        facts={
            "amount": request.amount,
            "version": request.version,
            "organisation": request.organization_id,
            "charge": request.charge_id,
            "requester": request.requester.key,
            "reason_sha256": digest(request.id, request.reason),
            "denial_sha256": request.deny_reason and digest(request.id, request.deny_reason),
        },
    )


def digest(request_id: str, words: str) -> str:
    """Return what the audit log has in place of words about a request, which can be forgotten."""
    return hashlib.sha256(f"{request_id} {words}".encode()).hexdigest()
