"""The app as its own process, to be killed: real signals, real restarts."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from bot.storage.cipher import generate_key
from tests.support.house import BOT_TOKEN, SIGNING_SECRET
from tests.support.program import Running, start

if TYPE_CHECKING:
    from bot.sandbox.portal import PortalSandbox
    from bot.sandbox.slack import SlackSandbox


ROOT = Path(__file__).parents[2]
_NUMBERS = itertools.count()

# Below those that the system gives to outgoing connections: one of them would be taken while the app is
# down. Each of the processes that test side by side has its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = itertools.cycle(range(20_000 + _WORKER % 6 * 2_000, 22_000 + _WORKER % 6 * 2_000))


def free_port() -> int:
    """Return a port on which nobody listens, another one each time."""
    for port in _PORTS:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("the ports never end")


@dataclass(kw_only=True)
class AppProcess:
    """`billing-bot serve`, with its log in a file. `program` is run in its place, if given.

    `root` is where the code is taken from. `by_itself`: as its own interpreter, not forked from one.
    """

    folder: Path
    portal: PortalSandbox
    slack: SlackSandbox
    port: int = field(default_factory=free_port)
    key: str = field(default_factory=generate_key)
    extra: dict[str, str] = field(default_factory=dict)
    program: str = "bot"
    arguments: tuple[str, ...] = ("serve",)
    root: Path = ROOT
    by_itself: bool = False
    name: str = "app"
    _process: Running | asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": self.slack.api_url,
            "HERMES_PORTAL_BASE_URL": self.portal.public_url,
            "DATABASE_URL": f"sqlite:///{self.folder / 'app.db'}",
            "BILLING_BOT_KEYS": self.key,
            "PORT": str(self.port),
            "POLL_INTERVAL_SECONDS": "0.2",
            "LOG_LEVEL": "DEBUG",
            "PYTHONPATH": str(self.root),
            **self.extra,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        if self.arguments[0] == "serve":
            self.slack.app_url = f"{self.url}/slack/events"
        self._process = await self._started()
        async with httpx.AsyncClient() as http, asyncio.timeout(30):
            while not await self._ready(http):
                assert self._process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.05)

    async def _started(self) -> Running | asyncio.subprocess.Process:
        if self.root == ROOT and not self.by_itself:
            return start(
                self.program,
                *self.arguments,
                folder=self.folder,
                environment=self.environment(),
                stderr=self.log,
            )
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.program, *self.arguments),
                env=self.environment(),
                cwd=self.folder,
                stderr=log,
            )

    async def _ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        assert self._process is not None
        return self._process.returncode

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def stopped(self) -> bool:
        """Whether it is paused by a signal."""
        assert self._process is not None
        return bool(psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED)

    async def run(self, *arguments: str) -> str:
        """Run another command of the program with the same settings; returns what it says."""
        said = self.folder / f"said-{next(_NUMBERS)}"
        running = start(
            "bot", *arguments, folder=self.folder, environment=self.environment(), stdout=said, stderr=said
        )
        await running.wait()
        return said.read_text()

    async def kill(self) -> None:
        """SIGKILL: no last word, no clean-up."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.end()

    async def end(self) -> int:
        """Wait for its end, which a SIGTERM has within ten seconds; returns the exit code."""
        assert self._process is not None
        async with asyncio.timeout(10):
            return await self._process.wait()
