"""A device grant's life (RFC 8628), from the code to the link."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from bot.domain.identity import Identity


class GrantState(StrEnum):
    """Where a device grant stands."""

    PENDING = "pending"
    GRANTED = "granted"
    """Tokens are here and stored; whose they are is still to be asked."""
    LINKED = "linked"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"
    MISMATCH = "mismatch"
    """Another account or organisation than the one whose permission was to be widened."""
    SUPERSEDED = "superseded"
    """The person started another one."""


NOT_CONNECTED = frozenset({GrantState.DENIED, GrantState.EXPIRED, GrantState.FAILED, GrantState.MISMATCH})
"""Ended, and not in a connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceGrant:
    """One "connect". `codes` holds device_code, url and response_url; `wanted` is what to go on with."""

    id: str
    identity: Identity
    state: GrantState
    base_url: str
    asked_scope: str
    wanted: str | None
    interval_seconds: int
    expires_at: datetime
    created_at: datetime
    codes: dict[str, Any] = field(repr=False)
    tokens: dict[str, Any] | None = field(default=None, repr=False)
    told_at: datetime | None = None
