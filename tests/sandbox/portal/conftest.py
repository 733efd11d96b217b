from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.sandbox.portal.desk import Clock, Desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def desk(clock: Clock) -> AsyncIterator[Desk]:
    portal = PortalSandbox(now=clock, seed=7)
    portal.hang_seconds = 0.2
    # Nothing here speaks TLS, and loading the usual authorities takes longer than most tests.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with (
        serve(portal.app) as url,
        httpx.AsyncClient(base_url=url, timeout=5, verify=bare) as http,
    ):
        portal.public_url = url
        desk = Desk(portal=portal, clock=clock, http=http)
        desk.sign_in()
        yield desk
