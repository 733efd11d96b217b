"""What the commands share: one line for everything, settings or the way out, and a clean end."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from datetime import UTC
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
import typer

from bot.domain.audit import acting
from bot.domain.errors import StoreUnavailableError
from bot.environment import SettingsError, load_settings
from bot.log import configure_logging, one_line
from bot.startup import StartError
from bot.storage.audit import AuditStore
from bot.storage.connection import SecondProcessError
from bot.storage.database import Database
from bot.storage.schema import is_current
from bot.system_clock import SystemClock
from bot.timing import STOP_WITHIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from bot.settings import Settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
FAULTY_SETTINGS = 2
NOT_NOW = 1
NOT_THERE = 1
NOT_WHOLE = 3
NOT_ENDED = 1
SOMETHING_WRONG = 1


def say(words: str, *, err: bool = False) -> None:
    """Print one line; what a server or the database has sent cannot forge another."""
    typer.echo(one_line(words), err=err)


def read(load: Callable[[], T]) -> T:
    """Read settings; if they are invalid, print one line per fault and exit."""
    try:
        return load()
    except SettingsError as error:
        for fault in error.faults:
            say(fault, err=True)
        sys.exit(FAULTY_SETTINGS)


def configured() -> Settings:
    """Return the settings, the log set up by them; if they are invalid, exit as `read` does."""
    settings = read(load_settings)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def run(program: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run until done or stopped by SIGINT or SIGTERM. A failed start prints one readable line."""

    async def go() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with acting("command line"):
            running = asyncio.create_task(program(stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        ended, _ = await asyncio.wait({running}, timeout=STOP_WITHIN_SECONDS)
        if not ended:
            # A step hangs. Leaving is safe: other processes take over its leases.
            say("stopped without waiting any longer", err=True)
            os._exit(NOT_ENDED)
        await running

    try:
        asyncio.run(go())
    except StartError as error:
        say(str(error), err=True)
        sys.exit(NOT_NOW if error.for_now else FAULTY_SETTINGS)
    except StoreUnavailableError as error:
        say(f"DATABASE_URL: the database cannot be used ({error}); try again", err=True)
        sys.exit(NOT_NOW)
    except SecondProcessError as error:
        words = f"another process already works on {error}; SQLite serves one, PostgreSQL serves many"
        say(f"DATABASE_URL: {words}", err=True)
        sys.exit(FAULTY_SETTINGS)


def utc(name: str, moment: datetime | None) -> datetime | None:
    """Return an option's moment in UTC; one beyond the years 1 to 9999 is one line and exit 2."""
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        say(f"{name}: outside of the years 1 to 9999 in UTC", err=True)
        sys.exit(FAULTY_SETTINGS)


def with_database(
    use: Callable[[Database], Coroutine[Any, Any, T]],
    *,
    alone: bool = False,
    any_schema: bool = False,
    records: bool = False,
) -> T:
    """Run with the database as it is; if there is none or it cannot be used, print one line and exit.

    `alone`: an embedded database must not be used by another process meanwhile. `any_schema`: an earlier
    release's schema will do. `records`: seal in the end what was written to the audit log.
    """
    settings = configured()

    async def go() -> T:
        database = Database(settings.database_url, SystemClock())
        if not database.backend.exists():
            raise StoreUnavailableError("there is none yet")
        if alone:
            database.backend.claim_alone()
        try:
            if not any_schema and not await is_current(database):
                raise StoreUnavailableError("it has not the newest schema; run `billing-bot migrate`")
            with acting("command line"):
                return await _sealed(database, use) if records else await use(database)
        finally:
            await database.aclose()

    try:
        return asyncio.run(go())
    except StoreUnavailableError as error:
        say(f"DATABASE_URL: the database cannot be used ({error})", err=True)
        sys.exit(NOT_NOW)
    except SecondProcessError as error:
        say(f"DATABASE_URL: another process works on {error}; stop it first", err=True)
        sys.exit(NOT_NOW)


async def _sealed(database: Database, use: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    try:
        return await use(database)
    finally:
        await AuditStore(database).seal()


def failed(error: Exception) -> int:
    """Print one line about what ended a command, and return the exit code.

    An unexpected error gets a short id; the log entry with that id has the traceback.
    """
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "billing-bot"
        say(f"{error.format_message().rstrip('.')}; see {command} --help", err=True)
        return error.exit_code
    incident = secrets.token_hex(4)
    log.error("command.failed", incident=incident, exc_info=error)
    say(f"Unexpected: {type(error).__name__}; the log says more at incident {incident}", err=True)
    return SOMETHING_WRONG
