"""The audit log: who did what, when, from where, and with which result, for money and identity."""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

acting_from: ContextVar[str] = ContextVar("acting_from", default="unknown")
"""The origin of the running task's actions. Each entry point sets it; a transaction copies it."""


@contextmanager
def acting(origin: str) -> Iterator[None]:
    """Set the origin of the block's actions: a kind of request, the worker, the command line."""
    before = acting_from.set(origin)
    try:
        yield
    finally:
        acting_from.reset(before)


@dataclass(slots=True)
class SignedRequest:
    """A request that Slack has signed, by its signature.

    `is_stored`: it is stored with a change, or about to be. `is_given_up` tells whether Slack has said that
    it failed, as nothing came back in time; then it changes nothing.
    """

    signature: str
    is_stored: bool = False
    is_given_up: Callable[[], bool] = lambda: False


signed_request: ContextVar[SignedRequest | None] = ContextVar("signed_request", default=None)
"""The request whose work is going on; None for other work."""


class Action(StrEnum):
    """What was done. An entry's result says how it ended."""

    CHARGE = "charge"
    REQUEST = "request"
    VOTE = "vote"
    POLICY = "policy"
    AWAY = "away"
    WATCH = "watch"
    ALERT = "alert"
    EXPORT = "export"
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
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """An entry of the log. `actor` is a person's key or the program; `at` is in UTC.

    `facts` is JSON text exactly as it was written, because the hash chain covers that text.
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
        """The parsed facts; text that is no JSON object is returned under `unreadable`."""
        try:
            read = json.loads(self.facts)
        except ValueError:
            read = None
        return read if isinstance(read, dict) else {"unreadable": self.facts}
