"""The pages people see: approving a device, an organisation's billing, its plan.

Stand-ins for the portal's own pages, plain enough to need no script. Nobody signs in: a page
asks who one wants to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from bot.sandbox.portal.billing_page import read_billing, read_plan, touch_billing, touch_plan
from bot.sandbox.portal.device_page import answer_device, read_device

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.pipeline import Handler


def page_routes(estate: Estate) -> list[BaseRoute]:
    """The routes of the pages."""
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("/", "GET", _front),
        ("/device", "GET", read_device),
        ("/device", "POST", answer_device),
        ("/billing", "GET", read_billing),
        ("/billing", "POST", touch_billing),
        ("/orgs/{slug}/billing", "GET", read_billing),
        ("/manage-subscription", "GET", read_plan),
        ("/manage-subscription", "POST", touch_plan),
    )
    return [Route(path, _bound(estate, page), methods=[method]) for path, method, page in rows]


def _bound(estate: Estate, page: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await page(estate, request)

    return endpoint


async def _front(estate: Estate, request: Request) -> Response:  # noqa: ARG001
    return RedirectResponse("/billing", 303)
