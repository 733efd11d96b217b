"""What a session with PostgreSQL must hold: set after connecting, and read back."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]

from bot.timing import IDLE_TRANSACTION_SECONDS, LOCK_WAIT_SECONDS, TRANSACTION_SECONDS

if TYPE_CHECKING:
    from bot.storage.postgresql_url import Target


def _milliseconds(seconds: float) -> str:
    """Return a time as `pg_settings` shows it."""
    return str(round(seconds * 1000))


_SETTINGS = {
    # Confirming relies on a statement seeing what was committed while it waited for a lock.
    "default_transaction_isolation": "read committed",
    # A paused process must not keep rows locked for longer than its lease. A refresh takes ten seconds.
    "idle_in_transaction_session_timeout": _milliseconds(IDLE_TRANSACTION_SECONDS),
    "lock_timeout": _milliseconds(LOCK_WAIT_SECONDS),
}
# That timeout misses a process that was paused between preparing and executing a statement: for the server
# it is active. From PostgreSQL 17 on, this timeout covers it; a refresh with its waits takes less time.
_LONGEST = {"transaction_timeout": _milliseconds(TRANSACTION_SECONDS)}
# Only those that this server knows.
_OURS = "unnest($1::text[], $2::text[]) AS ours (name, value) JOIN pg_settings USING (name)"
_SET = f"SELECT set_config(name, value, false) FROM {_OURS}"  # noqa: S608 - our own words
_LOST = f"SELECT name FROM {_OURS} WHERE setting IS DISTINCT FROM value"  # noqa: S608 - the same
_MARK = "SELECT set_config('billing_bot.mark', $1, false)"
_READ_MARK = "SELECT current_setting('billing_bot.mark', true)"
_IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"


_REFUSALS = {
    "28": "the user name or the password is not accepted",
    "3D": "there is no database of this name",
    "22": "the server does not know a parameter of the URL, or its value",
    "42": "the server does not know a parameter of the URL, or its value",
}
"""What refuses a session for good, by the beginning of its SQLSTATE (PostgreSQL, appendix A)."""


class SessionRefusedError(Exception):
    """A session will not be opened later either; the text says why, in plain words."""


class Sessions:
    """Opens sessions for a target; one whose statements have no timeout may take any time in all."""

    def __init__(self, target: Target, statement_seconds: float | None) -> None:
        self._target = target
        self._statement_seconds = statement_seconds
        settings = {"application_name": target.application_name or "billing-bot", **_SETTINGS}
        if statement_seconds is not None:
            settings |= _LONGEST
        self._settings = list(settings), list(settings.values())

    async def open(self) -> asyncpg.Connection:
        """Open a session.

        Its settings are set by a statement, because PgBouncer refuses a session that begins with them.

        Raises:
            SessionRefusedError: it will not be opened later either. Any other error is the driver's.
        """
        try:
            session = await self._target.connect(command_timeout=self._statement_seconds)
        except Exception as error:
            if (words := _refusal(error)) is None:
                raise
            raise SessionRefusedError(words) from error
        try:
            await session.execute(_SET, *self._settings)
        except BaseException:
            session.terminate()
            raise
        return session

    async def lost(self, first: Any, second: Any) -> list[str]:  # noqa: ANN401 - asyncpg has no types
        """Return what two open sessions do not hold, in words: settings, and that each is its own."""
        lost = [str(row["name"]) for row in await first.fetch(_LOST, *self._settings)]
        for session, mark in ((first, "first"), (second, "second")):
            await session.execute(_MARK, mark)
        if await first.fetchval(_READ_MARK) != "first":
            lost.append("a session of one's own (a pooler must be in session mode)")
        return lost


async def is_read_only(session: Any) -> bool:  # noqa: ANN401 - asyncpg has no types
    """Tell whether a session cannot write, as those from before a failover."""
    return bool(await session.fetchval(_IS_READ_ONLY))


def _refusal(error: Exception) -> str | None:
    state = str(getattr(error, "sqlstate", None) or "")
    for beginning, words in _REFUSALS.items():
        if state.startswith(beginning):
            return words
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate is not trusted"
    if isinstance(error, asyncpg.ClientConfigurationError):
        return "the URL's parameters or files are not usable"
    return "the server has no TLS" if "rejected SSL" in str(error) else None
