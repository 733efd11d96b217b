"""PostgreSQL's URLs as providers give them out: each parameter means what it means to libpq.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from sqlalchemy import URL

CONNECT_SECONDS = 5.0
SYSTEM = "system"
_ONE_OF = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_ANYTHING = ("host", "port", "user", "password", "dbname", "application_name", "options")
_OURS = ("channel_binding", "connect_timeout")
"""What asyncpg does not know; it would send them to the server as settings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where and how to connect."""

    dsn: str
    seconds: float | None
    application_name: str | None
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: URL) -> Target:
        """Read a URL's parameters.

        Raises:
            ValueError: a parameter that is not known here, or a wrong value; it names the parameter.
        """
        given = {
            name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()
        }
        for name, value in given.items():
            _check(name, value)
        passed = {name: value for name, value in given.items() if name not in _OURS}
        tls = _system_trust(passed)
        return cls(
            dsn=url.set(drivername="postgresql", query=passed).render_as_string(hide_password=False),
            seconds=_seconds(given.get("connect_timeout")),
            application_name=given.get("application_name"),
            tls=tls,
        )

    async def connect(self, *, command_timeout: float | None) -> asyncpg.Connection:
        """Open a connection; raises whatever the driver raises."""
        return await asyncpg.connect(
            self.dsn, timeout=self.seconds, command_timeout=command_timeout, ssl=self.tls
        )


def _check(name: str, value: str) -> None:
    if name in _ONE_OF and value not in _ONE_OF[name]:
        raise ValueError(f"{name}: none of {', '.join(_ONE_OF[name])}")
    if name == "channel_binding" and value == "require":
        raise ValueError(
            "channel_binding: the driver here has none; leave it out, "
            "and write sslmode=verify-full to be sure of the server"
        )
    if name in _FILES and not (_is_readable(value) or (name, value) == ("sslrootcert", SYSTEM)):
        raise ValueError(f"{name}: there is no such file, or it cannot be read")
    if name == "connect_timeout" and not value.removeprefix("-").isdecimal():
        raise ValueError("connect_timeout: not a whole number of seconds")
    if name not in {*_ONE_OF, *_FILES, *_ANYTHING, *_OURS}:
        raise ValueError(f"{name}: a parameter that is not known here; take it out")


def _is_readable(file: str) -> bool:
    try:
        with Path(file).open("rb"):
            return True
    except OSError:
        return False


def _seconds(connect_timeout: str | None) -> float | None:
    """Return how long to wait for a connection; None is for ever, libpq's meaning of zero and below."""
    if connect_timeout is None:
        return CONNECT_SECONDS
    return float(connect_timeout) if int(connect_timeout) > 0 else None


def _system_trust(passed: dict[str, str]) -> ssl.SSLContext | None:
    """Take `sslrootcert=system` out, and return its meaning: the machine's own authorities."""
    if passed.get("sslrootcert") != SYSTEM:
        return None
    if passed.pop("sslmode", "verify-full") != "verify-full":
        raise ValueError("sslrootcert: system goes with sslmode=verify-full only")
    del passed["sslrootcert"]
    return ssl.create_default_context()
