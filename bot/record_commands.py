"""The commands that take records out: the audit log, purchases as CSV, and a copy of the ledger."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy.engine import make_url

from blocks.export_file import csv_of
from bot.backup import BackupError, copy_ledger
from bot.domain.audit import Action
from bot.storage.audit import AuditStore
from bot.storage.exports import Span, is_known, purchases_in, sealed_in
from bot.storage.schema import is_current
from bot.terminal import FAULTY_SETTINGS, MOMENTS, NOT_NOW, NOT_WHOLE, configured, say, utc, with_database

if TYPE_CHECKING:
    from bot.storage.audit import Verification
    from bot.storage.database import Database

DAYS = ["%Y-%m-%d"]

audit_app = typer.Typer(help="The audit log: check it, or take it out.")


@audit_app.command("verify")
def audit_verify_command(
    expect: Annotated[str | None, typer.Option(help="a head noted before; it must be in the log")] = None,
) -> None:
    """Go through the audit log's hash chain; exit 3 when something was changed or taken out."""

    async def verify(database: Database) -> Verification:
        return await AuditStore(database).verify(expected=expect)

    found = with_database(verify)
    verdict = "whole" if found.broken is None else f"BROKEN: {found.broken}"
    if found.late_since is not None:
        since = f"{found.late_since:%Y-%m-%d %H:%M} UTC"
        say(f"entries have waited for their seal since {since}; a running worker seals them", err=True)
    say(f"{verdict}: {found.sealed} entries, {found.waiting} not sealed yet, head {found.head}")
    for charge in found.unknown:
        say(f"NOT IN THE LOG: purchase {charge}")
    if found.broken is not None or found.unknown:
        sys.exit(NOT_WHOLE)
    if found.late_since is not None:
        sys.exit(NOT_NOW)


@audit_app.command("export")
def audit_export_command(
    since: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="from then on; UTC without an offset")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=MOMENTS, help="before then; the same")] = None,
) -> None:
    """Print the sealed audit log, one JSON object a line, each with its place in the chain."""
    first, end = utc("--since", since), utc("--until", until)

    async def export(database: Database) -> None:
        async for seal in AuditStore(database).sealed(since=first, until=end):
            entry = {**asdict(seal.entry), "at": seal.entry.at.isoformat(), "facts": seal.entry.details}
            say(json.dumps({"number": seal.number, **entry, "digest": seal.digest}))

    with_database(export)


def backup_command(
    file: Annotated[Path, typer.Argument(help="a new file; its owner alone can read it")],
) -> None:
    """Copy the embedded ledger to a file while the app runs; it can be started from that copy."""
    url = make_url(configured().database_url)
    if url.get_backend_name() != "sqlite":
        say("DATABASE_URL: PostgreSQL is copied by its own pg_dump", err=True)
        sys.exit(FAULTY_SETTINGS)
    with_database(is_current, any_schema=True)
    try:
        size = copy_ledger(Path(url.database or ""), file)
    except BackupError as error:
        say(f"FILE: {error}", err=True)
        sys.exit(FAULTY_SETTINGS)
    say(f"{file}: {size} bytes. After a restore run `billing-bot restored` before the app starts.")


def export_command(
    organization: Annotated[str, typer.Option(help="the portal's id of it, as in `billing-bot trace`")],
    since: Annotated[datetime, typer.Option(formats=DAYS, help="the first day, UTC")],
    until: Annotated[datetime, typer.Option(formats=DAYS, help="the day after the last one, UTC")],
) -> None:
    """Print an organization's confirmed purchases as CSV, with who asked, agreed and paid."""
    span = Span(
        organization_id=organization, since=since.replace(tzinfo=UTC), until=until.replace(tzinfo=UTC)
    )
    if span.since > span.until:
        say("--since: after --until", err=True)
        sys.exit(FAULTY_SETTINGS)

    async def export(database: Database) -> str | None:
        if not await is_known(database, organization):
            return None
        purchases = await purchases_in(database, span)
        await AuditStore(database).record(
            Action.EXPORT,
            actor="operator",
            subject=organization,
            result="exported",
            since=span.since.date().isoformat(),
            until=span.until.date().isoformat(),
            purchases=len(purchases),
        )
        return csv_of(purchases, await sealed_in(database, span))

    written = with_database(export, records=True)
    if written is None:
        say(f"--organization: the app knows none with the id {organization}", err=True)
        sys.exit(FAULTY_SETTINGS)
    typer.echo(written.encode(), nl=False)
