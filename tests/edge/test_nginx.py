"""nginx, the real program, before the app as docs/deploy/README.md has it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.edge.served import served
from tests.support.house import ADA, open_house
from tests.support.process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PAGE = Path(__file__).parents[2] / "docs/deploy/README.md"
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
IDLE_SECONDS = 6
"""Longer than uvicorn's own patience of five seconds."""
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Debian's package nginx is not installed")


def locations(port: int) -> str:
    """The page's locations, for an app on another port."""
    found = "".join(re.findall(r"^ *(location .*)$", PAGE.read_text(), re.MULTILINE))
    assert "127.0.0.1:3000" in found
    return found.replace("127.0.0.1:3000", f"127.0.0.1:{port}")


@asynccontextmanager
async def nginx(servers: str, folder: Path) -> AsyncIterator[str]:
    """Run nginx with these servers, on PORT; yields its URL."""
    port = free_port()
    places = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {places} {servers.replace('PORT', str(port))} }}"
    )
    program = await asyncio.create_subprocess_exec(
        str(PROGRAM), "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(settings)
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(10), httpx.AsyncClient() as http:
            while not await _answers(http, url):
                await asyncio.sleep(0.05)
        yield url
    finally:
        program.terminate()
        await program.wait()


async def _answers(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 404
    except httpx.TransportError:
        return False


async def test_a_purchase_goes_through_nginx_as_the_page_has_it(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house, served(house) as port:
        servers = f"server {{ listen 127.0.0.1:PORT; {locations(port)} }}"
        async with nginx(servers, tmp_path) as url, httpx.AsyncClient() as http:
            house.slack.app_url = f"{url}/slack/events"
            await house.link()
            await house.buy("50")
            await house.told("$50 added to your balance")
            assert (await http.get(f"{url}/metrics")).status_code == 404


async def test_nginx_keeps_its_connections_and_loses_no_request_on_them(tmp_path: Path) -> None:
    async with open_house(tmp_path, worker=False) as house, served(house) as port:
        servers = (
            f"upstream app {{ server 127.0.0.1:{port}; keepalive 8; keepalive_timeout 60s; }}"
            f"server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://app; {KEPT} }} }}"
        )
        async with nginx(servers, tmp_path) as url:
            house.slack.app_url = f"{url}/slack/events"
            for idle in (0, IDLE_SECONDS):
                await asyncio.sleep(idle)
                sent = [house.slack.command(ADA, "/billing help") for _ in range(8)]
                assert {delivery.status for delivery in await asyncio.gather(*sent)} == {200}
