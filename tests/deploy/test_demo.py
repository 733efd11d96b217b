"""The demo as a program: it opens the page, and brings everything to its first state."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tests.deploy.test_wheel import three_free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

READY_SECONDS = 60


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[str]:
    """Run `billing-bot demo --open` until Ctrl-C; yield the address that the browser was given."""
    browser, opened = folder / "browser", folder / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--port", str(three_free_ports()), "--open"),
        env={**os.environ, "BROWSER": f"{browser} %s"},
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not opened.is_file() or not opened.read_text():
                assert running.returncode is None
                await asyncio.sleep(0.1)
        yield opened.read_text().strip()
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def answer(http: httpx.AsyncClient, text: str, user: str = "U0ADA") -> str:
    """Type a command in the first channel; return the newest message that the person then sees."""
    channel = "C0GENERAL"

    async def seen() -> list[dict[str, Any]]:
        state = (await http.get("/sandbox/state", params={"user": user})).json()
        messages: list[dict[str, Any]] = state["conversations"][channel]["messages"]
        return messages

    before = len(await seen())
    await http.post("/sandbox/command", json={"user": user, "channel": channel, "text": text})
    async with asyncio.timeout(READY_SECONDS):
        while len(await seen()) == before:
            await asyncio.sleep(0.05)
    return str((await seen())[-1]["text"])


async def test_the_demo_opens_the_page_and_starting_over_empties_the_apps_database(tmp_path: Path) -> None:
    async with demo(tmp_path) as page, httpx.AsyncClient(base_url=page, timeout=READY_SECONDS) as http:
        assert "You can't pause" in await answer(http, "/billing lock books", "U0LINUS")
        assert "Reason: books" in await answer(http, "/billing lock books")
        portal = (await http.get("/sandbox/bootstrap")).json()["portal_url"]
        switched = {"organisation": "acme", "scenario": "portal-down"}
        await http.post(f"{portal}/sandbox/scenario", json=switched)

        assert (await http.post("/sandbox/start-over")).json() == {"ok": True}
        listed = (await http.get(f"{portal}/sandbox/scenarios")).json()
        assert listed["organisations"][0]["scenario"] == "by-amount"
        assert "Reason: books" not in await answer(http, "/billing unlock")
