"""The connections to the portal: who waits for whom, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from bot.domain.errors import PortalUnavailableError
from bot.portal.transport import CONCURRENT_REQUESTS, Exchange

if TYPE_CHECKING:
    from bot.portal.transport import Transport
    from bot.sandbox.portal import PortalSandbox


@pytest_asyncio.fixture
async def busy(transport: Transport) -> Transport:
    """As many questions in the background as there are places, and no answers."""
    for _ in range(CONCURRENT_REQUESTS):
        await transport._background.acquire()
    return transport


def question(portal: PortalSandbox, *, in_background: bool) -> Exchange:
    return Exchange(method="GET", url=f"{portal.public_url}/api/billing/state", in_background=in_background)


async def test_a_persons_request_does_not_wait_behind_polling(
    portal: PortalSandbox, busy: Transport
) -> None:
    assert (await busy.send(question(portal, in_background=False))).status == 401


async def test_a_request_without_a_free_connection_is_never_sent(
    portal: PortalSandbox, busy: Transport
) -> None:
    with pytest.raises(PortalUnavailableError):
        await busy.send(question(portal, in_background=True))
    busy._background.release()
    assert portal.requests == []
