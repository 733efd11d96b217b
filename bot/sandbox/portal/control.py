"""The control API (`/sandbox/…`): what a page on loopback may read and switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from bot.sandbox.portal.billing import json_object
from bot.sandbox.portal.display import shortened
from bot.sandbox.portal.pipeline import api_route
from bot.sandbox.portal.refusals import RefusalError, invalid
from bot.sandbox.portal.scenarios import SCENARIOS, amount_of
from bot.sandbox.portal.wire import (
    ExactJSONResponse,
    decimal_string,
    iso_instant,
    sum_of,
    whole_or_decimal,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.ledger import Charge, ChargePost
    from bot.sandbox.portal.scenarios import Scenario
    from bot.sandbox.portal.world import Organisation

_FURTHEST_SECONDS = 366 * 86_400
_LOOPBACK = r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"


def control_routes(estate: Estate) -> list[BaseRoute]:
    """The routes, open to pages from loopback origins only."""
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=_LOOPBACK,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type"],
    )
    routes = [
        api_route(estate, "/scenarios", "GET", list_scenarios),
        api_route(estate, "/scenario", "POST", switch_scenario),
        api_route(estate, "/charges", "GET", list_charges),
        api_route(estate, "/clock", "POST", advance_clock),
        api_route(estate, "/reset", "POST", reset),
    ]
    return [Mount("/sandbox", routes=routes, middleware=[cors])]


async def list_scenarios(estate: Estate, request: Request) -> Response:  # noqa: ARG001
    """`GET /sandbox/scenarios`: the organisations as they are, and what they can be switched to."""
    organisations = [_organisation(estate, each) for each in estate.organisations.values()]
    scenarios = [_scenario(row) for row in SCENARIOS.values()]
    return ExactJSONResponse({"organisations": organisations, "scenarios": scenarios})


async def switch_scenario(estate: Estate, request: Request) -> Response:
    """`POST /sandbox/scenario` with `organisation` and `scenario`; answers the organisation."""
    body = await json_object(request)
    slug, name = body.get("organisation"), body.get("scenario")
    if not isinstance(slug, str) or slug not in estate.organisations:
        raise RefusalError.of("not_found", message="There is no such organisation.")
    if not isinstance(name, str) or name not in SCENARIOS:
        raise invalid("There is no such scenario.")
    estate.set_scenario(slug, name)
    return ExactJSONResponse(_organisation(estate, estate.organisations[slug]))


async def list_charges(estate: Estate, request: Request) -> Response:  # noqa: ARG001
    """`GET /sandbox/charges`: the book, and every post that led to it or did not."""
    charges = [_charge(charge) for charge in estate.charges]
    posts = [_post(post) for post in estate.charge_posts]
    return ExactJSONResponse({"charges": charges, "posts": posts})


async def advance_clock(estate: Estate, request: Request) -> Response:
    """`POST /sandbox/clock` with `advanceSeconds`; answers the portal's new time."""
    seconds = whole_or_decimal((await json_object(request)).get("advanceSeconds"))
    if seconds is None or not 0 <= seconds <= _FURTHEST_SECONDS:
        raise invalid("advanceSeconds must be a number from 0 to a year's seconds.")
    return ExactJSONResponse({"now": iso_instant(estate.advance(float(seconds)))})


async def reset(estate: Estate, request: Request) -> Response:  # noqa: ARG001
    """`POST /sandbox/reset`: everything as at the start, the clock too; people stay signed in."""
    estate.reset()
    return ExactJSONResponse({"ok": True})


def _organisation(estate: Estate, organisation: Organisation) -> dict[str, object]:
    cap = organisation.cap
    people = (each for each in estate.people.values() if each.organisation == organisation.slug)
    return {
        "slug": organisation.slug,
        "id": organisation.id,
        "name": shortened(organisation.name),
        "scenario": organisation.scenario,
        "balanceUsd": decimal_string(organisation.balance),
        "card": _payment_method(organisation),
        "cliBillingEnabled": organisation.cli_billing_enabled,
        "capLeftUsd": None if cap is None else decimal_string(sum_of(cap.limit, -cap.spent)),
        "people": [{"key": each.key, "name": each.name, "role": each.role} for each in people],
    }


def _payment_method(organisation: Organisation) -> str | None:
    card, other = organisation.card, organisation.other_method
    if card is not None:
        return f"{card.brand} {card.last4}".strip()
    return None if other is None else other.kind


def _scenario(row: Scenario) -> dict[str, object]:
    shown: dict[str, object] = {"name": row.name, "title": row.title, "try": row.hint}
    amount = amount_of(row.name)
    return shown if amount is None else {**shown, "amount": f"{amount:.2f}"}


def _charge(charge: Charge) -> dict[str, object]:
    return {
        "id": charge.id,
        "organisation": charge.organisation,
        "person": charge.person,
        "amountUsd": decimal_string(charge.amount),
        "status": charge.status,
        "reason": charge.reason if charge.status == "failed" else None,
        "createdAt": iso_instant(charge.created_at),
        "settledAt": _settled_at(charge),
    }


def _settled_at(charge: Charge) -> str | None:
    settled = charge.status == "settled" and charge.settle_at is not None
    return iso_instant(charge.settle_at or 0) if settled else None


def _post(post: ChargePost) -> dict[str, object]:
    return {
        "key": post.key,
        "amountUsd": None if post.amount is None else decimal_string(post.amount),
        "organisation": post.organisation,
        "person": post.person,
        "at": iso_instant(post.at),
        "status": post.status,
        "answer": post.answer,
    }
