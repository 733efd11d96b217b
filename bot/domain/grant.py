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
    NO_ORGANIZATION = "no_organization"
    """The login belongs to no organization, so there is nothing to link."""
    UNUSABLE = "unusable"
    """What the portal says of the account cannot be kept."""
    SUPERSEDED = "superseded"
    """The person started another one."""


NOT_CONNECTED = frozenset(
    {
        GrantState.DENIED,
        GrantState.EXPIRED,
        GrantState.FAILED,
        GrantState.MISMATCH,
        GrantState.NO_ORGANIZATION,
        GrantState.UNUSABLE,
    }
)
"""Ended, and not in a connection."""


RESUME, ENABLE, GO_ON = "resume", "enable", "go"
"""What a grant was begun for: a purchase that waits, a command that needs the permission, a command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceGrant:
    """One "connect". `wanted` is what to go on with: one of the words above, and what it is for.

    `codes` holds device_code, url, and where the link stands: response_url, view_id, or channel and ts.
    `waiting` in it says that the person knows that the portal keeps them waiting.
    """

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

    @property
    def purpose(self) -> tuple[str, str]:
        """What the grant was begun for, and the charge or command that it is for; empty words for none."""
        word, _, rest = (self.wanted or "").partition(" ")
        return word, rest

    @property
    def is_step_up(self) -> bool:
        """Tell whether it widens the permission of a connection: then the account must be the same."""
        return is_step_up(self.wanted)


def is_step_up(wanted: str | None) -> bool:
    """Tell whether a grant that is begun for this widens the permission of a connection."""
    return (wanted or "").partition(" ")[0] in {RESUME, ENABLE}


FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 60
SLOW_DOWN_SECONDS = 5


@dataclass(slots=True)
class PollingPace:
    """How often a device grant is asked about, in seconds (RFC 8628, 3.5)."""

    interval: int
    pauses: int = 0

    def pending(self) -> int:
        """Return the wait after an ordinary answer."""
        self.pauses = 0
        return self.interval

    def slow_down(self) -> int:
        """Return the wait after a `slow_down`, which holds from now on."""
        self.pauses = 0
        self.interval += SLOW_DOWN_SECONDS
        return self.interval

    def outage(self, retry_after: int | None) -> int:
        """Return the wait after an answer that means back off: as named, else doubling up to a minute."""
        doubled = min(FIRST_PAUSE_SECONDS * 2 ** min(self.pauses, 10), LONGEST_PAUSE_SECONDS)
        self.pauses += 1
        return max(self.interval, doubled if retry_after is None else retry_after)
