"""A device authorization grant (RFC 8628), from the device code to the link."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.domain.backoff import Backoff
from bot.domain.delivery import ShownAt

if TYPE_CHECKING:
    from bot.domain.identity import Identity


class GrantState(StrEnum):
    """A device grant's state."""

    PENDING = "pending"
    GRANTED = "granted"
    """The tokens are stored; the portal has not been asked for the account yet."""
    LINKED = "linked"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"
    MISMATCH = "mismatch"
    """Approved with another account or organization than the connection to widen."""
    NO_ORGANIZATION = "no_organization"
    """The login belongs to no organization, so there is nothing to link."""
    UNUSABLE = "unusable"
    """What the portal says about the account cannot be stored."""
    OTHER_ORGANIZATION = "other_org"
    """The operator allows other organizations only."""
    TAKEN = "taken"
    """Another Slack person is connected to the account, and the operator allows one."""
    OTHER_EMAIL = "other_email"
    """The operator demands one e-mail address in Slack and at the portal, and it is not the same."""
    SUPERSEDED = "superseded"
    """The person started another grant, or canceled this one."""


NOT_CONNECTED = frozenset(
    {
        GrantState.DENIED,
        GrantState.EXPIRED,
        GrantState.FAILED,
        GrantState.MISMATCH,
        GrantState.NO_ORGANIZATION,
        GrantState.UNUSABLE,
        GrantState.OTHER_ORGANIZATION,
        GrantState.TAKEN,
        GrantState.OTHER_EMAIL,
    }
)
"""Ended without a connection."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The grant is for a purchase that waits for the billing permission."""

    charge_id: str

    def to_text(self) -> str:
        """Return the stored form."""
        return f"resume {self.charge_id}"


@dataclass(frozen=True, slots=True)
class Enable:
    """The grant is for the billing permission; `command` is what to continue with, e.g. `buy 50`."""

    command: str = ""

    def to_text(self) -> str:
        """Return the stored form."""
        return f"enable {self.command}".strip()


@dataclass(frozen=True, slots=True)
class GoOn:
    """The grant is for a connection; `command` is what to continue with."""

    command: str

    def to_text(self) -> str:
        """Return the stored form."""
        return f"go {self.command}"


Purpose: TypeAlias = Resume | Enable | GoOn
_PURPOSES: dict[str, type[Purpose]] = {"resume": Resume, "enable": Enable, "go": GoOn}


def purpose_from_text(text: str | None) -> Purpose | None:
    """Read a stored purpose; None for a connection without one."""
    word, _, rest = (text or "").partition(" ")
    kind = _PURPOSES.get(word)
    return None if kind is None else kind(rest)


def is_step_up(purpose: Purpose | None) -> bool:
    """Tell whether the grant widens a connection's permission; then the account must stay the same."""
    return isinstance(purpose, Resume | Enable)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkMessage:
    """The address of the thread message that shows the link."""

    channel: str
    ts: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceCodes:
    """A grant's secrets, and where its link is shown.

    `waiting_shown`: the person was told that the portal does not answer yet.
    """

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    url: str = field(repr=False)
    shown_at: ShownAt = field(default_factory=ShownAt)
    message: LinkMessage | None = None
    waiting_shown: bool = False

    def to_facts(self) -> dict[str, Any]:
        """Return the values to encrypt."""
        facts: dict[str, Any] = {
            "device_code": self.device_code,
            "user_code": self.user_code,
            "url": self.url,
            "response_url": self.shown_at.response_url,
            "view_id": self.shown_at.view_id,
        }
        if self.message is not None:
            facts |= {"channel": self.message.channel, "ts": self.message.ts}
        if self.waiting_shown:
            facts["waiting"] = True
        return facts

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> DeviceCodes:
        """Read the decrypted values."""
        message = LinkMessage(channel=facts["channel"], ts=facts["ts"]) if facts.get("ts") else None
        return cls(
            device_code=facts["device_code"],
            user_code=facts["user_code"],
            url=facts["url"],
            shown_at=ShownAt(response_url=facts.get("response_url"), view_id=facts.get("view_id")),
            message=message,
            waiting_shown=bool(facts.get("waiting")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantedTokens:
    """The tokens of an approved grant until they are stored in a link. Times are UTC."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    scope: str
    expires_at: datetime
    granted_at: datetime | None
    """When the approval was exchanged for tokens; the connection ends 30 days later."""

    def to_facts(self) -> dict[str, Any]:
        """Return the values to encrypt."""
        return {
            "access": self.access,
            "refresh": self.refresh,
            "scope": self.scope,
            "expires_at": self.expires_at.timestamp(),
            "granted_at": self.granted_at and self.granted_at.timestamp(),
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> GrantedTokens:
        """Read the decrypted values; an older release stored no `granted_at`."""
        granted_at = facts.get("granted_at")
        return cls(
            access=facts["access"],
            refresh=facts["refresh"],
            scope=facts["scope"],
            expires_at=datetime.fromtimestamp(float(facts["expires_at"]), UTC),
            granted_at=None if granted_at is None else datetime.fromtimestamp(float(granted_at), UTC),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceGrant:
    """One attempt to connect. `purpose` is what it is for; `codes` is None when they are no longer needed.

    `notified_at` (UTC) is when the outcome was given to its delivery.
    """

    id: str
    identity: Identity
    state: GrantState
    base_url: str
    asked_scope: str
    purpose: Purpose | None
    interval_seconds: int
    expires_at: datetime
    created_at: datetime
    codes: DeviceCodes | None
    tokens: GrantedTokens | None = None
    notified_at: datetime | None = None

    @property
    def is_step_up(self) -> bool:
        """Whether it widens a connection's permission."""
        return is_step_up(self.purpose)

    @property
    def is_decided(self) -> bool:
        """Whether it has ended, with or without a connection."""
        return self.state not in {GrantState.PENDING, GrantState.GRANTED}


OUTAGE = Backoff(5, 60)
SLOW_DOWN_SECONDS = 5


@dataclass(slots=True)
class PollingPace:
    """How often to ask about a device grant, in seconds (RFC 8628, section 3.5)."""

    interval: int
    outages: int = 0

    def pending(self) -> int:
        """Return the wait in seconds after `authorization_pending`."""
        self.outages = 0
        return self.interval

    def slow_down(self) -> int:
        """Return the wait in seconds after `slow_down`, which also lengthens all later waits."""
        self.outages = 0
        self.interval += SLOW_DOWN_SECONDS
        return self.interval

    def outage(self, retry_after: int | None) -> int:
        """Return the wait in seconds after a failure: `retry_after`, or else doubling up to a minute."""
        doubled = int(OUTAGE.longest(self.outages))
        self.outages += 1
        return max(self.interval, doubled if retry_after is None else retry_after)
