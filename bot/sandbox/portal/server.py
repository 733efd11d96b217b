"""The portal as an ASGI app."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from bot.sandbox.portal import account, billing, oauth, subscription
from bot.sandbox.portal.control import control_routes
from bot.sandbox.portal.estate import Estate
from bot.sandbox.portal.pages import page_routes
from bot.sandbox.portal.pipeline import api_route, charge_route, struck_by_scenario
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.traffic import TrafficLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from bot.sandbox.portal.pipeline import Handler

_BILLING = attrgetter("billing")
_POLL = attrgetter("poll")
_STATE = attrgetter("state")
_ACCOUNT = attrgetter("account")


class PortalSandbox(Estate):
    """The portal with its wire contract: hand `app` to `bot.sandbox.serving.serve`.

    State is in memory. `public_url` may be set once the port is known; `now` moves the clock and
    is `time.time` by default; the same `seed` gives the same identifiers.
    """

    def __init__(
        self,
        public_url: str = "http://127.0.0.1:8766",
        *,
        now: Callable[[], float] | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(public_url, now=now, seed=seed)
        self.app = Starlette(
            routes=[
                *_oauth_routes(self),
                *_billing_routes(self),
                *control_routes(self),
                *page_routes(self),
            ],
            middleware=[Middleware(TrafficLog, seen=self.requests, now=self.now)],
            exception_handlers={404: _not_found, 405: _not_found},
        )


def _oauth_routes(estate: Estate) -> list[BaseRoute]:
    read_account = struck_by_scenario(account.read_account, _ACCOUNT)
    return [
        api_route(estate, "/api/oauth/device/code", "POST", oauth.start_device_grant),
        api_route(estate, "/api/oauth/token", "POST", oauth.give_token),
        api_route(estate, "/api/oauth/account", "GET", read_account),
    ]


def _billing_routes(estate: Estate) -> list[BaseRoute]:
    base = "/api/billing"
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/state", struck_by_scenario(billing.read_state, _BILLING, _STATE)),
        ("GET", "/charge/{charge_id:path}", struck_by_scenario(billing.read_charge, _BILLING, _POLL)),
        ("PATCH", "/auto-top-up", struck_by_scenario(billing.change_auto_reload, _BILLING)),
        ("GET", "/subscription", struck_by_scenario(subscription.read_subscription, _BILLING)),
        ("POST", "/subscription/preview", struck_by_scenario(subscription.preview_change, _BILLING)),
        (
            "PUT",
            "/subscription/pending-change",
            struck_by_scenario(subscription.schedule_change, _BILLING),
        ),
        (
            "DELETE",
            "/subscription/pending-change",
            struck_by_scenario(subscription.undo_change, _BILLING),
        ),
        ("POST", "/subscription/upgrade", struck_by_scenario(subscription.upgrade, _BILLING)),
    )
    charge = struck_by_scenario(billing.post_charge, _BILLING)
    return [
        charge_route(estate, f"{base}/charge", charge),
        *(api_route(estate, base + path, method, handler) for method, path, handler in rows),
    ]


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return RefusalError.of("not_found").response()
