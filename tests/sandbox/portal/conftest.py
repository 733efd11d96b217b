from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from bot.sandbox.portal import PortalSandbox
from bot.sandbox.serving import serve
from tests.sandbox.portal.client import Clock, PortalClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[PortalClient]:
    portal = PortalSandbox(now=clock, seed=7)
    portal.hang_seconds = 0.2
    # The tests use no TLS, and loading the default certificates takes longer than most tests.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with (
        serve(portal.app) as url,
        httpx.AsyncClient(base_url=url, timeout=5, verify=bare) as http,
    ):
        portal.public_url = url
        client = PortalClient(portal=portal, clock=clock, http=http)
        client.sign_in()
        yield client
