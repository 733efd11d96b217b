"""Converts a charge to its row and back."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any

from bot.domain.charge import Charge, ChargeKind, ChargeState, FailureReason
from bot.domain.errors import RefusalCode
from bot.domain.identity import Identity
from bot.domain.payment import PaymentMethod

if TYPE_CHECKING:
    from sqlalchemy import Row

_PLAIN = tuple(field.name for field in fields(Charge) if field.name not in {"identity", "payment_method"})


def charge_of(row: Row[Any]) -> Charge:
    """Read a charge from its row."""
    values = {name: getattr(row, name) for name in _PLAIN}
    values["kind"] = ChargeKind(row.kind)
    values["state"] = ChargeState(row.state)
    values["failure"] = FailureReason(row.failure) if row.failure else None
    values["refusal"] = RefusalCode(row.refusal) if row.refusal else None
    values["payment_method"] = _payment_method(row)
    return Charge(identity=Identity(enterprise=row.enterprise, team=row.team, user=row.user), **values)


def _payment_method(row: Row[Any]) -> PaymentMethod | None:
    """Read the payment method; a charge of an earlier release has only the name of a card."""
    if row.payment_method is not None:
        return PaymentMethod.from_text(row.payment_method)
    return PaymentMethod(brand=row.card) if row.card else None


def values_of(charge: Charge) -> dict[str, Any]:
    """Return the column values of a new row."""
    identity = charge.identity
    return {
        **{name: _stored(getattr(charge, name)) for name in _PLAIN},
        "enterprise": identity.enterprise,
        "team": identity.team,
        "user": identity.user,
        "owner": identity.key,
        "payment_method": charge.payment_method and charge.payment_method.to_text(),
    }


def difference(before: Charge, after: Charge) -> dict[str, Any]:
    """Return the columns that differ, with their values `after`.

    Raises:
        ValueError: the person or the payment method differs; neither may change.
    """
    if (before.identity, before.payment_method) != (after.identity, after.payment_method):
        raise ValueError("who pays, and with what, never changes")
    return {
        name: _stored(getattr(after, name))
        for name in _PLAIN
        if getattr(before, name) != getattr(after, name)
    }


def _stored(value: Any) -> Any:  # noqa: ANN401 - a column's value
    return value.value if isinstance(value, Enum) else value
