"""The audit log: for each money and identity action who, what, when, from where, and the result."""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

acting_from: ContextVar[str] = ContextVar("acting_from", default="unknown")
"""The origin of what the running task does, set once at each way in. A transaction takes it over."""


@contextmanager
def acting(origin: str) -> Iterator[None]:
    """Name the origin of what the block does: a kind of request, the worker, the command line."""
    before = acting_from.set(origin)
    try:
        yield
    finally:
        acting_from.reset(before)


class Action(StrEnum):
    """What was done. The result says how it ended."""

    CHARGE = "charge"
    AUTO_RELOAD = "auto-reload"
    PLAN = "plan"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    SESSION = "session"
    INSTALL = "install"
    UNINSTALL = "uninstall"
    LOCK = "lock"
    UNLOCK = "unlock"
    KEYS = "keys"
    PURGE = "purge"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """A line of the log. `actor` is a person's key (or the program), `at` is in UTC.

    `facts` is JSON text, as it was written: whatever it says, it is sealed.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    result: str
    origin: str
    facts: str
    id: int = 0

    @property
    def details(self) -> dict[str, str]:
        """The facts; as they stand under `unreadable` where they are no JSON object."""
        try:
            read = json.loads(self.facts)
        except ValueError:
            read = None
        return read if isinstance(read, dict) else {"unreadable": self.facts}
