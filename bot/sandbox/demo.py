"""The demo: both sandbox servers, and the real app as a child process, on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import signal
import sys
import tempfile
import webbrowser
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from bot.sandbox.slack import Directory, SlackSandbox, app_of
from bot.sandbox.slack.directory import ADA, GRACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

SIGNING_SECRET = "5a4db0c5" * 4
BOT_TOKEN = "xoxb-sandbox-0000-billing"  # noqa: S105 - same
READY_SECONDS = 30
STOP_SECONDS = 10
POLL_CAP_SECONDS = 30
"""When a charge counts as timed out: soon enough to be watched."""
WATCH_MINUTES = "0.05"
"""A watched balance is read every three seconds, as its days pass in minutes."""
LOCK_USERS = f"{ADA.id},{GRACE.id}"
"""Not everybody: the demo shows the refusal of pausing too."""


@asynccontextmanager
async def open_sandbox(
    *, portal_port: int, slack_port: int, app_port: int, manifest: dict[str, Any]
) -> AsyncIterator[tuple[PortalSandbox, SlackSandbox]]:
    """Run the two servers, connected to each other and to the app of the manifest."""
    portal = PortalSandbox()
    slack = SlackSandbox(
        app_url=f"http://127.0.0.1:{app_port}/slack/events",
        signing_secret=SIGNING_SECRET,
        bot_token=BOT_TOKEN,
        directory=Directory(app=app_of(manifest)),
    )
    async with (
        serve(portal.app, port=portal_port) as portal_url,
        serve(slack.app, port=slack_port) as slack_url,
    ):
        portal.public_url = portal_url
        slack.public_url = slack_url
        slack.portal_url = portal_url
        yield portal, slack


async def run_sandbox(
    portal_port: int, slack_port: int, stop: asyncio.Event, *, manifest: dict[str, Any]
) -> None:
    """Run the two servers until `stop` is set. Print the settings that connect an app to them."""
    async with open_sandbox(
        portal_port=portal_port, slack_port=slack_port, app_port=3000, manifest=manifest
    ) as (
        portal,
        slack,
    ):

        async def start_over() -> None:
            await _start_over(portal, slack)
            slack.tell_started_over()

        slack.start_over = start_over
        _print(f"Slack's page        {slack.public_url}")
        _print("Settings for an app on 127.0.0.1:3000 (and a key from `billing-bot generate-key`):")
        for name, value in _environment(portal, slack).items():
            _print(f"  {name}={value}")
        _print("In place of the bot token, to install by OAuth at http://127.0.0.1:3000/slack/install:")
        _print(f"  SLACK_CLIENT_ID={slack.client_id}")
        _print(f"  SLACK_CLIENT_SECRET={slack.client_secret}")
        if slack.socket_mode:
            _print("For `billing-bot serve --socket-mode`:")
            _print(f"  SLACK_APP_TOKEN={slack.app_token}")
        await stop.wait()


async def run_demo(
    port: int,
    stop: asyncio.Event,
    *,
    manifest: dict[str, Any],
    prepare: Callable[[Mapping[str, str]], Awaitable[None]],
    opens_page: bool = False,
) -> None:
    """Run the servers and the app until `stop` is set. Delete the app's database at the end.

    Args:
        port: The port of the page. The portal and the app take the next two.
        stop: Ends the demo.
        manifest: The manifest of the app.
        prepare: Called with the app's settings before it starts on an empty database.
        opens_page: Whether to open the page in the person's browser.
    """
    async with open_sandbox(
        portal_port=port + 1, slack_port=port, app_port=port + 2, manifest=manifest
    ) as (portal, slack):
        with tempfile.TemporaryDirectory(prefix="billing-demo-") as folder:
            environment = {
                **_environment(portal, slack),
                "PORT": str(port + 2),
                "DATABASE_URL": f"sqlite:///{Path(folder) / 'demo.db'}",
                "BILLING_BOT_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "POLL_CAP_SECONDS": str(POLL_CAP_SECONDS),
                "LOCK_USERS": LOCK_USERS,
                "WATCH_MIN_MINUTES": WATCH_MINUTES,
                "WATCH_MAX_MINUTES": WATCH_MINUTES,
                "LOG_FORMAT": "console",
                "LOG_LEVEL": "WARNING",
            }
            app = DemoApp(environment, port + 2)
            slack.restart_app = app.kill_and_restart

            async def forget() -> None:
                _empty(Path(folder))
                await _start_over(portal, slack)
                await prepare(environment)

            async def start_over() -> None:
                await app.kill_and_restart(meanwhile=forget)
                slack.tell_started_over()

            slack.start_over = start_over
            try:
                await prepare(environment)
                await app.start()
                _print(f"\n  Open {slack.public_url}\n")
                if opens_page:
                    await asyncio.to_thread(webbrowser.open, slack.public_url)
                _print("  Type /billing there. The portal's own pages: " + portal.public_url)
                _print("  Ctrl-C ends it.\n")
                await stop.wait()
            finally:
                await app.stop()


class DemoApp:
    """The app as a child process."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self._environment = environment
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._restarting = asyncio.Lock()

    async def start(self) -> None:
        """Start the app and wait until it is ready.

        Raises:
            RuntimeError: the app ended before it was ready. Its output is on standard error.
            TimeoutError: the app was not ready within `READY_SECONDS`.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            env={**os.environ, **self._environment},
            # Ctrl-C in the terminal must reach only the demo, which then stops the app.
            start_new_session=True,
        )
        async with asyncio.timeout(READY_SECONDS):
            while not await self._ready():
                if self._process.returncode is not None:
                    raise RuntimeError("the app did not start")
                await asyncio.sleep(0.1)

    async def kill_and_restart(self, *, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Kill the app with SIGKILL, like a crash, and start it again.

        Args:
            meanwhile: Called while the app does not run.

        Raises:
            RuntimeError: as for `start`.
            TimeoutError: as for `start`.
        """
        async with self._restarting:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            if meanwhile is not None:
                await meanwhile()
            await self.start()

    async def stop(self) -> None:
        """Stop the app with SIGTERM. Kill it when it does not end in time."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            writer.write(b"GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            await writer.drain()
            return b" 200 " in await reader.readline()
        finally:
            writer.close()


def _empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


async def _start_over(portal: PortalSandbox, slack: SlackSandbox) -> None:
    portal.start_over()
    await slack.clear()


def _environment(portal: PortalSandbox, slack: SlackSandbox) -> dict[str, str]:
    return {
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "SLACK_API_URL": slack.api_url,
        "HERMES_PORTAL_BASE_URL": portal.public_url,
    }


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
