"""`make chaos`: the proof at full length. Exits with 1 when the promise was broken."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.run import Outcome, Plan, run
from tests.support.postgresql import make_template, new_database, running_server


def main(
    seed: Annotated[int | None, typer.Option(help="to repeat a run; drawn and printed otherwise")] = None,
    purchases: Annotated[int, typer.Option(help="how many")] = 200,
    replicas: Annotated[int, typer.Option(help="how many processes")] = 3,
    seconds: Annotated[float, typer.Option(help="how long the storm lasts")] = 180,
    people: Annotated[int, typer.Option(help="who buy, each one thing after the other")] = 20,
    asks: Annotated[bool, typer.Option(help="each is asked for, and two click at once to pay it")] = False,
    isolation: Annotated[str | None, typer.Option(help="the database's default for transactions")] = None,
) -> None:
    """Let purchases happen in a storm, then compare the portal's, Slack's and our own books."""
    plan = Plan(
        seed=secrets.randbelow(10**6) if seed is None else seed,
        purchases=purchases,
        replicas=replicas,
        seconds=seconds,
        people=people,
        asks=asks,
    )
    what = "requests" if asks else "purchases"
    typer.echo(f"seed {plan.seed}: {purchases} {what}, {replicas} replicas, {seconds:.0f} s of storm")
    with running_server() as server, tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        outcome = asyncio.run(_run(plan, Path(folder), server.url, isolation))
        typer.echo(outcome.table())
        if not outcome.kept:
            kept = Path(tempfile.mkdtemp(prefix="chaos-logs-"))
            for log in Path(folder).glob("*.log"):
                log.rename(kept / log.name)
            typer.echo(f"The replicas' logs: {kept}")
    sys.exit(0 if outcome.kept else 1)


async def _run(plan: Plan, folder: Path, server_url: str, isolation: str | None) -> Outcome:
    template = await make_template(server_url)
    async with new_database(server_url, template, isolation=isolation) as url:
        return await run(plan, folder, url)


if __name__ == "__main__":
    typer.run(main)
