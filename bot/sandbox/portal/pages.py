"""The routes of the sandbox's pages: device approval, billing, plan.

The pages replace the portal's own pages and use no scripts. They have no login: the person selects an
account on the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from bot.sandbox.portal.billing_page import change_billing, change_plan, read_billing, read_plan
from bot.sandbox.portal.device_page import answer_device, read_device

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.pipeline import Handler


def page_routes(accounts: Accounts) -> list[BaseRoute]:
    """Return the routes of the pages."""
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("/", "GET", _redirect_to_billing),
        ("/device", "GET", read_device),
        ("/device", "POST", answer_device),
        ("/billing", "GET", read_billing),
        ("/billing", "POST", change_billing),
        ("/orgs/{slug}/billing", "GET", read_billing),
        ("/manage-subscription", "GET", read_plan),
        ("/manage-subscription", "POST", change_plan),
    )
    return [Route(path, _bound(accounts, page), methods=[method]) for path, method, page in rows]


def _bound(accounts: Accounts, page: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await page(accounts, request)

    return endpoint


async def _redirect_to_billing(accounts: Accounts, request: Request) -> Response:  # noqa: ARG001
    return RedirectResponse("/billing", 303)
