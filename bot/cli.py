"""The program `billing-bot`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any, TypeVar

import typer

from bot.check import AuditHead, check
from bot.domain.audit import Action
from bot.domain.errors import ChargeNotFoundError, SeveralChargesError
from bot.environment import SettingsError, load_manifest_settings, load_settings
from bot.log import configure_logging
from bot.person_commands import person_app
from bot.record_commands import audit_app, backup_command, export_command
from bot.serving import serve, work
from bot.storage.audit import AuditStore
from bot.storage.cipher import Cipher, generate_key
from bot.storage.database import Database
from bot.storage.restored import mark_restored
from bot.storage.rotation import Rotation, rotate
from bot.storage.schema import migrate
from bot.storage.signatures import sign_again
from bot.system_clock import SystemClock
from bot.terminal import (
    FAULTY_SETTINGS,
    NOT_THERE,
    SOMETHING_WRONG,
    configured,
    failed,
    read,
    run,
    say,
    with_database,
)
from bot.trace import trace
from handlers.manifest import make_manifest

T = TypeVar("T")

ON_LOOPBACK = "http://127.0.0.1:3000"
LAST_PORT = 65_535
app = typer.Typer(
    name="billing-bot",
    help="/billing for Slack: see and top up your organization's prepaid balance at Nous Portal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(audit_app, name="audit")
app.add_typer(person_app, name="person")
app.command("export")(export_command)
app.command("backup")(backup_command)


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
    settings = configured().model_copy(update=_chosen(host, port))
    run(lambda stop: serve(settings, stop, worker=worker, socket_mode=socket_mode))


@app.command("worker")
def worker_command(
    host: Annotated[str | None, typer.Option(help="where health and metrics are served; HOST")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=LAST_PORT, help="the same; without it they are not served")
    ] = None,
) -> None:
    """Run a worker alone, beside any number of others on the same PostgreSQL."""
    settings = configured().model_copy(update=_chosen(host, port))
    run(lambda stop: work(settings, stop, http=port is not None))


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
    from bot.demo_past import live_through  # noqa: PLC0415 - as below
    from bot.sandbox.demo import run_demo  # noqa: PLC0415 - the servers to try things with cost a start 0.2 s

    manifest = make_manifest(ON_LOOPBACK)
    run(lambda stop: run_demo(port, stop, manifest=manifest, prepare=live_through, opens_page=open_page))


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
    run(lambda stop: run_sandbox(portal_port, slack_port, stop, manifest=manifest))


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
        say("--url: not an address that Slack takes; it starts with https://", err=True)
        sys.exit(FAULTY_SETTINGS)
    match_email = read(load_manifest_settings).match_email
    manifest = make_manifest(url, socket_mode=socket_mode, match_email=match_email)
    typer.echo(json.dumps(manifest, indent=2))


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    settings = configured()

    async def go(_stop: asyncio.Event) -> None:
        # A migration may take any time, so statements have no timeout.
        database = Database(settings.database_url, SystemClock(), statement_seconds=None)
        try:
            database.backend.make_file()
            await migrate(database, Cipher(settings.keys()))
        finally:
            await database.aclose()

    run(go)
    say("The database has the newest schema.")


@app.command("trace")
def trace_command(
    charge: Annotated[str, typer.Argument(help="our id of it, the portal's, or the beginning of either")],
) -> None:
    """Tell one charge's whole story, without secrets."""

    async def tell(database: Database) -> str:
        return await trace(database, charge)

    try:
        story = with_database(tell)
    except ChargeNotFoundError:
        say(f"There is no purchase {charge}.", err=True)
        sys.exit(NOT_THERE)
    except SeveralChargesError:
        say(f"Several purchases begin with {charge}; type more of it.", err=True)
        sys.exit(NOT_THERE)
    typer.echo(story)


@app.command("generate-key")
def generate_key_command() -> None:
    """Print a new encryption key for BILLING_BOT_KEYS."""
    say(generate_key())


@app.command("check")
def check_command(
    audit_head: Annotated[
        str | None, typer.Option(help="NUMBER:DIGEST of an audit entry noted before; it must be in the log")
    ] = None,
) -> None:
    """Try the settings, Slack, the portal and the database; say what is wrong and how to mend it."""
    try:
        head = None if audit_head is None else AuditHead.read(audit_head)
    except ValueError:
        say(
            "--audit-head: not NUMBER:DIGEST (64 hex digits), from `billing-bot audit export`",
            err=True,
        )
        sys.exit(FAULTY_SETTINGS)
    try:
        settings = load_settings()
    except SettingsError as error:
        for fault in error.faults:
            say(f"wrong  {fault}")
        sys.exit(SOMETHING_WRONG)
    configure_logging("ERROR", settings.log_format)
    findings = asyncio.run(check(settings, head))
    for finding in findings:
        say(f"{'ok   ' if finding.good else 'wrong'}  {finding.words}")
    if not all(finding.good for finding in findings):
        sys.exit(SOMETHING_WRONG)


@app.command("restored")
def restored_command() -> None:
    """Tell the app that the database was restored from a backup; run it before the app starts."""
    marked, ended = with_database(mark_restored, alone=True, records=True)
    say(f"{marked} may have been sent before the restore; {ended} proposals and requests were ended.")


@app.command("rotate-keys")
def rotate_keys_command() -> None:
    """Re-encrypt every stored token with the newest key of BILLING_BOT_KEYS; the app may run."""
    cipher = Cipher(configured().keys())

    async def re_encrypt(database: Database) -> tuple[Rotation, int]:
        audit = AuditStore(database)
        await audit.record(Action.KEYS, actor="operator", subject="stored tokens", result="asked")
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
        return done, failing

    done, failing = with_database(re_encrypt, records=True)
    say(f"{done.resealed} sealed with the newest key.")
    if failing:
        say(f"{failing} purchases are not what was confirmed; they are never sent.", err=True)
    if done.broken:
        say(f"{done.broken} are opened by none of the keys: those people connect again.", err=True)


def main() -> None:
    """Run the program; whatever goes wrong is one line on standard error."""
    try:
        sys.exit(app(standalone_mode=False, prog_name="billing-bot"))
    except typer.Abort:
        sys.exit(SOMETHING_WRONG)
    except Exception as error:  # noqa: BLE001 - the boundary
        sys.exit(failed(error))


def _chosen(host: str | None, port: int | None) -> dict[str, Any]:
    return {name: value for name, value in (("host", host), ("port", port)) if value is not None}
