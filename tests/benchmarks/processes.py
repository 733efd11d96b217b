"""Starts what is measured, each as its own process, and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from bot.storage.cipher import generate_key
from tests.benchmarks.load import SIGNING_SECRET
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.benchmarks.databases import Place

ROOT = Path(__file__).parents[2]
KEY = generate_key()


@asynccontextmanager
async def running(
    port: int, *arguments: str, environment: dict[str, str] | None = None, path: str = "/readyz"
) -> AsyncIterator[psutil.Process]:
    """Run a module until the block ends; it is there when `path` answers 200."""
    async with started(*arguments, environment=environment) as process:
        async with httpx.AsyncClient() as http, asyncio.timeout(120):
            while True:
                try:
                    if (await http.get(f"http://127.0.0.1:{port}{path}")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if process.returncode is not None:
                    raise RuntimeError(f"{arguments} ended with {process.returncode}")
                await asyncio.sleep(0.02)
        yield psutil.Process(process.pid)


@asynccontextmanager
async def started(
    *arguments: str, environment: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a module until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "SLACK_SIGNING_SECRET": SIGNING_SECRET, **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 12)
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def wire(settle_seconds: float = 3.0) -> AsyncIterator[int]:
    """Run the constant servers; returns their port."""
    port = free_port()
    arguments = ("tests.benchmarks.wire", str(port), str(settle_seconds))
    async with running(port, *arguments, path="/healthz"):
        yield port


@asynccontextmanager
async def bare(*more: str) -> AsyncIterator[int]:
    """Run the bare Bolt app; returns its port."""
    async with bare_process(*more) as (port, _):
        yield port


@asynccontextmanager
async def bare_process(*more: str) -> AsyncIterator[tuple[int, psutil.Process]]:
    """Run the bare Bolt app; returns its port and its process."""
    port = free_port()
    async with running(port, "tests.benchmarks.bare", str(port), *more) as process:
        yield port, process


@asynccontextmanager
async def ours(
    wire_port: int, database_url: str, folder: Path, **plan: Any
) -> AsyncIterator[tuple[int, dict[str, Any], psutil.Process]]:
    """Run the app; returns its port, the plan with the ids in it, and the process."""
    port, file = free_port(), folder / f"plan-{free_port()}.json"
    file.write_text(json.dumps(plan))
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-bench",
        "SLACK_API_URL": f"http://127.0.0.1:{wire_port}/slack/",
        "HERMES_PORTAL_BASE_URL": f"http://127.0.0.1:{wire_port}",
        "DATABASE_URL": database_url,
        "BILLING_BOT_KEYS": KEY,
        "PORT": str(port),
    }
    if "minutes" in plan:
        pace = str(plan["minutes"])
        environment |= {"WATCH_MIN_MINUTES": pace, "WATCH_MAX_MINUTES": pace, "WATCH_RATE": "100000"}
    async with running(port, "tests.benchmarks.ours", str(file), environment=environment) as process:
        yield port, json.loads(file.read_text()), process


@dataclass(frozen=True, kw_only=True, slots=True)
class House:
    """Our app with its constant servers, on a database of its own."""

    wire: int
    port: int
    plan: dict[str, Any]
    process: psutil.Process
    url: str


@asynccontextmanager
async def house(
    place: Place, folder: Path, *, settle_seconds: float = 3.0, **plan: Any
) -> AsyncIterator[House]:
    """Run all of it until the block ends."""
    async with (
        place.database(folder) as url,
        wire(settle_seconds) as wire_port,
        ours(wire_port, url, folder, **plan) as (port, found, process),
    ):
        yield House(wire=wire_port, port=port, plan=found, process=process, url=url)


async def report(wire_port: int) -> dict[str, Any]:
    """What the constant servers were asked."""
    async with httpx.AsyncClient(timeout=30) as http:
        found: dict[str, Any] = (await http.get(f"http://127.0.0.1:{wire_port}/report")).json()
    return found


async def told(wire_port: int) -> int:
    """How many ends were told."""
    return await _count(wire_port, "told")


async def asked(wire_port: int) -> int:
    """About how many charges in the background was asked."""
    return await _count(wire_port, "asked")


async def _count(wire_port: int, what: str) -> int:
    async with httpx.AsyncClient() as http:
        return int((await http.get(f"http://127.0.0.1:{wire_port}/{what}")).text)


async def reset(wire_port: int) -> None:
    """Have the constant servers forget what they were asked."""
    async with httpx.AsyncClient() as http:
        await http.get(f"http://127.0.0.1:{wire_port}/reset")


async def output_of(*arguments: str) -> str:
    """Run a module until it ends by itself; return what it has printed.

    Raises:
        RuntimeError: it did not end well.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return printed.decode().strip()
