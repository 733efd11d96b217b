"""The program `billing-bot`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot.check import check
from bot.domain.audit import Action, acting
from bot.domain.errors import ChargeNotFoundError, SeveralChargesError, StoreUnavailableError
from bot.environment import SettingsError, load_manifest_settings, load_settings
from bot.log import configure_logging, one_line
from bot.runtime import SystemClock
from bot.serving import serve, work
from bot.startup import StartError
from bot.storage.audit import AuditStore
from bot.storage.cipher import Cipher, generate_key
from bot.storage.connection import SecondProcessError
from bot.storage.database import Database
from bot.storage.restored import mark_restored
from bot.storage.rotation import rotate
from bot.storage.schema import migrate
from bot.storage.signatures import sign_again
from bot.timing import STOP_WITHIN_SECONDS
from bot.trace import trace
from handlers.manifest import make_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bot.settings import Settings
    from bot.storage.audit import Verification

T = TypeVar("T")

ON_LOOPBACK = "http://127.0.0.1:3000"
MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
LAST_PORT = 65_535
FAULTY_SETTINGS = 2
NOT_NOW = 1
NOT_THERE = 1
NOT_WHOLE = 3
NOT_ENDED = 1
SOMETHING_WRONG = 1

app = typer.Typer(
    name="billing-bot",
    help="/billing for Slack: see and top up your organization's prepaid balance at Nous Portal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

audit_app = typer.Typer(help="The audit log: check it, or take it out.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="where HTTP listens; HOST, 127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=LAST_PORT, help="where HTTP listens; PORT, 3000")
    ] = None,
    worker: Annotated[bool, typer.Option(help="work too, or only listen")] = True,
    socket_mode: Annotated[
        bool, typer.Option("--socket-mode", help="Slack's requests over a WebSocket; SLACK_APP_TOKEN")
    ] = False,
) -> None:
    """Run the Slack app and its worker in one process."""
    settings = _settings().model_copy(update=_chosen(host, port))
    _run(lambda stop: serve(settings, stop, worker=worker, socket_mode=socket_mode))


@app.command("worker")
def worker_command(
    host: Annotated[str | None, typer.Option(help="where health and metrics are served; HOST")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=LAST_PORT, help="the same; without it they are not served")
    ] = None,
) -> None:
    """Run a worker alone, beside any number of others on the same PostgreSQL."""
    settings = _settings().model_copy(update=_chosen(host, port))
    _run(lambda stop: work(settings, stop, http=port is not None))


@app.command("demo")
def demo_command(
    port: Annotated[
        int,
        typer.Option(
            min=1, max=LAST_PORT - 2, help="of the page; the portal and the bot take the next two"
        ),
    ] = 8765,
    open_page: Annotated[bool, typer.Option("--open", help="open the page in your browser")] = False,
) -> None:
    """Run the sandbox portal, the sandbox Slack and the bot on loopback, to try everything by hand."""
    from bot.sandbox.demo import run_demo  # noqa: PLC0415 - the servers to try things with cost a start 0.2 s

    manifest = make_manifest(ON_LOOPBACK)
    _run(lambda stop: run_demo(port, stop, manifest=manifest, opens_page=open_page))


@app.command("sandbox")
def sandbox_command(
    portal_port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="where the sandbox portal listens")
    ] = 8766,
    slack_port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="where the sandbox Slack listens")
    ] = 8765,
    socket_mode: Annotated[
        bool, typer.Option("--socket-mode", help="for an app that runs with `serve --socket-mode`")
    ] = False,
) -> None:
    """Run the two sandbox servers alone, to try your own deployment against them."""
    from bot.sandbox.demo import run_sandbox  # noqa: PLC0415 - as above

    manifest = make_manifest(ON_LOOPBACK, socket_mode=socket_mode)
    _run(lambda stop: run_sandbox(portal_port, slack_port, stop, manifest=manifest))


@app.command("manifest")
def manifest_command(
    url: Annotated[str | None, typer.Option(help="where Slack reaches the app")] = None,
    socket_mode: Annotated[
        bool, typer.Option("--socket-mode", help="for `serve --socket-mode`, which needs no address")
    ] = False,
) -> None:
    """Print the Slack app manifest, to paste where Slack creates an app."""
    if url is None and not socket_mode:
        url = "https://bot.example.com"
    if url is not None and not url.startswith("https://"):
        _say("--url: not an address that Slack takes; it starts with https://", err=True)
        sys.exit(FAULTY_SETTINGS)
    match_email = _read(load_manifest_settings).match_email
    manifest = make_manifest(url, socket_mode=socket_mode, match_email=match_email)
    typer.echo(json.dumps(manifest, indent=2))


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    settings = _settings()

    async def go(_stop: asyncio.Event) -> None:
        # A migration may take any time, so statements have no timeout.
        database = Database(settings.database_url, SystemClock(), statement_seconds=None)
        try:
            database.backend.make_folder()
            await migrate(database, Cipher(settings.keys()))
        finally:
            await database.aclose()

    _run(go)
    _say("The database has the newest schema.")


@app.command("trace")
def trace_command(
    charge: Annotated[str, typer.Argument(help="our id of it, the portal's, or the beginning of either")],
) -> None:
    """Tell one charge's whole story, without secrets."""
    settings = _settings()
    try:
        story = asyncio.run(trace(settings.database_url, charge))
    except StoreUnavailableError as error:
        _say(f"DATABASE_URL: the database cannot be read ({error})", err=True)
        sys.exit(NOT_NOW)
    except ChargeNotFoundError:
        _say(f"There is no purchase {charge}.", err=True)
        sys.exit(NOT_THERE)
    except SeveralChargesError:
        _say(f"Several purchases begin with {charge}; type more of it.", err=True)
        sys.exit(NOT_THERE)
    typer.echo(story)


@app.command("generate-key")
def generate_key_command() -> None:
    """Print a new encryption key for BILLING_BOT_KEYS."""
    _say(generate_key())


@app.command("check")
def check_command() -> None:
    """Try the settings, Slack, the portal and the database; say what is wrong and how to mend it."""
    try:
        settings = load_settings()
    except SettingsError as error:
        for fault in error.faults:
            _say(f"wrong  {fault}")
        sys.exit(SOMETHING_WRONG)
    configure_logging("ERROR", settings.log_format)
    findings = asyncio.run(check(settings))
    for finding in findings:
        _say(f"{'ok   ' if finding.good else 'wrong'}  {finding.words}")
    if not all(finding.good for finding in findings):
        sys.exit(SOMETHING_WRONG)


@audit_app.command("verify")
def audit_verify_command(
    expect: Annotated[str | None, typer.Option(help="a head noted before; it must be in the log")] = None,
) -> None:
    """Go through the audit log's hash chain; exit 3 when something was changed or taken out."""

    async def verify(audit: AuditStore) -> Verification:
        return await audit.verify(expected=expect)

    found = _with_audit(verify)
    verdict = "whole" if found.broken is None else f"BROKEN: {found.broken}"
    _say(f"{verdict}: {found.sealed} entries, {found.waiting} not sealed yet, head {found.head}")
    for charge in found.unknown:
        _say(f"NOT IN THE LOG: purchase {charge}")
    if found.broken is not None or found.unknown:
        sys.exit(NOT_WHOLE)


@audit_app.command("export")
def audit_export_command(
    since: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="from then on; UTC without an offset")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=MOMENTS, help="before then; the same")] = None,
) -> None:
    """Print the sealed audit log, one JSON object a line, each with its place in the chain."""
    first, end = _utc("--since", since), _utc("--until", until)

    async def export(audit: AuditStore) -> None:
        async for seal in audit.sealed(since=first, until=end):
            entry = {**asdict(seal.entry), "at": seal.entry.at.isoformat(), "facts": seal.entry.details}
            _say(json.dumps({"number": seal.number, **entry, "digest": seal.digest}))

    _with_audit(export)


@app.command("restored")
def restored_command() -> None:
    """Tell the app that the database was restored from a backup; run it before the app starts."""
    settings = _settings()

    async def go(_stop: asyncio.Event) -> None:
        database = Database(settings.database_url, SystemClock())
        try:
            marked, ended = await mark_restored(database)
        finally:
            await database.aclose()
        _say(f"{marked} may have been sent before the restore; {ended} proposals and requests were ended.")

    _run(go)


@app.command("rotate-keys")
def rotate_keys_command() -> None:
    """Re-encrypt every stored token with the newest key of BILLING_BOT_KEYS; the app may run."""
    settings = _settings()

    async def go(_stop: asyncio.Event) -> None:
        database = Database(settings.database_url, SystemClock())
        try:
            audit = AuditStore(database)
            await audit.record(Action.KEYS, actor="operator", subject="stored tokens", result="asked")
            cipher = Cipher(settings.keys())
            done = await rotate(database, cipher)
            failing = await sign_again(database, cipher)
            await audit.record(
                Action.KEYS,
                actor="operator",
                subject="stored tokens",
                result="rotated",
                resealed=done.resealed,
                broken=done.broken,
            )
        finally:
            await database.aclose()
        _say(f"{done.resealed} sealed with the newest key.")
        if failing:
            _say(f"{failing} purchases are not what was confirmed; they are never sent.", err=True)
        if done.broken:
            _say(f"{done.broken} are opened by none of the keys: those people connect again.", err=True)

    _run(go)


def _with_audit(use: Callable[[AuditStore], Coroutine[Any, Any, T]]) -> T:
    settings = _settings()

    async def go() -> T:
        database = Database(settings.database_url, SystemClock())
        if not database.backend.exists():
            raise StoreUnavailableError("there is none yet")
        try:
            return await use(AuditStore(database))
        finally:
            await database.aclose()

    try:
        return asyncio.run(go())
    except StoreUnavailableError as error:
        _say(f"DATABASE_URL: the database cannot be read ({error})", err=True)
        sys.exit(NOT_NOW)


def _utc(name: str, moment: datetime | None) -> datetime | None:
    """Return an option's moment in UTC; one beyond the years 1 to 9999 is one line and exit 2."""
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        _say(f"{name}: outside of the years 1 to 9999 in UTC", err=True)
        sys.exit(FAULTY_SETTINGS)


def main() -> None:
    """Run the program."""
    app()


def _say(words: str, *, err: bool = False) -> None:
    """Print one line; what a server or the database has sent cannot forge another."""
    typer.echo(one_line(words), err=err)


def _chosen(host: str | None, port: int | None) -> dict[str, Any]:
    return {name: value for name, value in (("host", host), ("port", port)) if value is not None}


def _read(load: Callable[[], T]) -> T:
    """Read settings; if they are invalid, print one line per fault and exit."""
    try:
        return load()
    except SettingsError as error:
        for fault in error.faults:
            _say(fault, err=True)
        sys.exit(FAULTY_SETTINGS)


def _settings() -> Settings:
    settings = _read(load_settings)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _run(program: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run until done or stopped by SIGINT or SIGTERM. A failed start prints one readable line."""

    async def run() -> None:
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
            _say("stopped without waiting any longer", err=True)
            os._exit(NOT_ENDED)
        await running

    try:
        asyncio.run(run())
    except StartError as error:
        _say(str(error), err=True)
        sys.exit(NOT_NOW if error.for_now else FAULTY_SETTINGS)
    except StoreUnavailableError as error:
        _say(f"DATABASE_URL: the database cannot be used ({error}); try again", err=True)
        sys.exit(NOT_NOW)
    except SecondProcessError as error:
        words = f"another process already works on {error}; SQLite serves one, PostgreSQL serves many"
        _say(f"DATABASE_URL: {words}", err=True)
        sys.exit(FAULTY_SETTINGS)
