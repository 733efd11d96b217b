"""The portal as an ASGI app."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from bot.sandbox.portal import account, billing, oauth, subscription
from bot.sandbox.portal.accounts import Accounts
from bot.sandbox.portal.control import control_routes
from bot.sandbox.portal.pages import page_routes
from bot.sandbox.portal.pipeline import api_route, charge_route, with_scenario_faults
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


class PortalSandbox(Accounts):
    """The portal as an ASGI app, for `bot.sandbox.serving.serve`.

    The state is in memory. `public_url` may be set once the port is known. `now` is the clock, by
    default `time.time`. The same `seed` gives the same identifiers.
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


def _oauth_routes(accounts: Accounts) -> list[BaseRoute]:
    read_account = with_scenario_faults(account.read_account, _ACCOUNT)
    return [
        api_route(accounts, "/api/oauth/device/code", "POST", oauth.start_device_grant),
        api_route(accounts, "/api/oauth/token", "POST", oauth.give_token),
        api_route(accounts, "/api/oauth/account", "GET", read_account),
    ]


def _billing_routes(accounts: Accounts) -> list[BaseRoute]:
    base = "/api/billing"
    rows: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/state", with_scenario_faults(billing.read_state, _BILLING, _STATE)),
        ("GET", "/charge/{charge_id:path}", with_scenario_faults(billing.read_charge, _BILLING, _POLL)),
        ("PATCH", "/auto-top-up", with_scenario_faults(billing.change_auto_reload, _BILLING)),
        ("GET", "/subscription", with_scenario_faults(subscription.read_subscription, _BILLING)),
        ("POST", "/subscription/preview", with_scenario_faults(subscription.preview_change, _BILLING)),
        (
            "PUT",
            "/subscription/pending-change",
            with_scenario_faults(subscription.schedule_change, _BILLING),
        ),
        (
            "DELETE",
            "/subscription/pending-change",
            with_scenario_faults(subscription.undo_change, _BILLING),
        ),
        ("POST", "/subscription/upgrade", with_scenario_faults(subscription.upgrade, _BILLING)),
    )
    charge = with_scenario_faults(billing.post_charge, _BILLING)
    return [
        charge_route(accounts, f"{base}/charge", charge),
        *(api_route(accounts, base + path, method, handler) for method, path, handler in rows),
    ]


async def _not_found(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return RefusalError.of("not_found").response()
