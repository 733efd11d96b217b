"""The control API (`/sandbox/…`), with which a page on loopback reads and changes the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from bot.sandbox.portal.billing import json_object
from bot.sandbox.portal.display import shortened
from bot.sandbox.portal.pipeline import api_route
from bot.sandbox.portal.refusals import RefusalError, invalid
from bot.sandbox.portal.scenarios import GROUPS, SCENARIOS, amount_of
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

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.ledger import Charge, ChargePost
    from bot.sandbox.portal.models import Organization, Person
    from bot.sandbox.portal.scenario import Scenario

_FURTHEST_SECONDS = 366 * 86_400
_LOOPBACK = r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"


def control_routes(accounts: Accounts) -> list[BaseRoute]:
    """Return the routes. Only pages from loopback origins may call them."""
    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=_LOOPBACK,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type"],
    )
    routes = [
        api_route(accounts, "/scenarios", "GET", list_scenarios),
        api_route(accounts, "/scenario", "POST", switch_scenario),
        api_route(accounts, "/charges", "GET", list_charges),
        api_route(accounts, "/clock", "POST", advance_clock),
        api_route(accounts, "/reset", "POST", reset),
    ]
    return [Mount("/sandbox", routes=routes, middleware=[cors])]


async def list_scenarios(accounts: Accounts, request: Request) -> Response:  # noqa: ARG001
    """Answer `GET /sandbox/scenarios` with the organizations and the scenarios."""
    organizations = [_organization(accounts, each) for each in accounts.organizations.values()]
    scenarios = [_scenario(row, group) for group, rows in GROUPS.items() for row in rows]
    return ExactJSONResponse({"organisations": organizations, "scenarios": scenarios})


async def switch_scenario(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /sandbox/scenario`. The body has `organisation` and `scenario`."""
    body = await json_object(request)
    slug, name = body.get("organisation"), body.get("scenario")
    if not isinstance(slug, str) or slug not in accounts.organizations:
        raise RefusalError.of("not_found", message="There is no such organization.")
    if not isinstance(name, str) or name not in SCENARIOS:
        raise invalid("There is no such scenario.")
    accounts.set_scenario(slug, name)
    return ExactJSONResponse(_organization(accounts, accounts.organizations[slug]))


async def list_charges(accounts: Accounts, request: Request) -> Response:  # noqa: ARG001
    """Answer `GET /sandbox/charges` with the charges and every received post."""
    charges = [_charge(charge) for charge in accounts.charges]
    posts = [_post(post) for post in accounts.charge_posts]
    return ExactJSONResponse({"charges": charges, "posts": posts})


async def advance_clock(accounts: Accounts, request: Request) -> Response:
    """Answer `POST /sandbox/clock` with the portal's new time. The body has `advanceSeconds`."""
    seconds = whole_or_decimal((await json_object(request)).get("advanceSeconds"))
    if seconds is None or not 0 <= seconds <= _FURTHEST_SECONDS:
        raise invalid("advanceSeconds must be a number from 0 to a year's seconds.")
    return ExactJSONResponse({"now": iso_instant(accounts.advance(float(seconds)))})


async def reset(accounts: Accounts, request: Request) -> Response:  # noqa: ARG001
    """Answer `POST /sandbox/reset`. Restore the initial state and keep the sessions."""
    accounts.reset()
    return ExactJSONResponse({"ok": True})


def _organization(accounts: Accounts, organization: Organization) -> dict[str, object]:
    cap = organization.cap
    people = (each for each in accounts.people.values() if each.organization == organization.slug)
    return {
        "slug": organization.slug,
        "id": organization.id,
        "name": shortened(organization.name),
        "scenario": organization.scenario,
        "balanceUsd": decimal_string(organization.balance),
        "card": _payment_method(organization),
        "cliBillingEnabled": organization.cli_billing_enabled,
        "capLeftUsd": None if cap is None else decimal_string(sum_of(cap.limit, -cap.spent)),
        "people": [_person(accounts, each) for each in people],
    }


def _person(accounts: Accounts, person: Person) -> dict[str, object]:
    sessions = [each for each in accounts.sign_in.sessions_of(person.key) if not each.ended]
    return {
        "key": person.key,
        "name": person.name,
        "role": person.role,
        "maySpend": person.may_change_plan,
        "connected": bool(sessions),
        "connectedMs": round((accounts.now() - sessions[0].began_at) * 1000) if sessions else None,
    }


def _payment_method(organization: Organization) -> str | None:
    card, other = organization.card, organization.other_method
    if card is not None:
        return f"{card.brand} {card.last4}".strip()
    return None if other is None else other.kind


def _scenario(row: Scenario, group: str) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": row.name,
        "group": group,
        "title": row.title,
        "try": row.hint,
        "keywords": row.keywords,
    }
    amount = amount_of(row.name)
    return shown if amount is None else {**shown, "amount": f"{amount:.2f}"}


def _charge(charge: Charge) -> dict[str, object]:
    return {
        "id": charge.id,
        "organisation": charge.organization,
        "person": charge.person,
        "amountUsd": decimal_string(charge.amount),
        "status": charge.status,
        "reason": charge.reason if charge.status == "failed" else None,
        "createdAt": iso_instant(charge.created_at),
        "settledAt": _ended_at(charge) if charge.status == "settled" else None,
        "endedAt": _ended_at(charge),
        "key": charge.idempotency_key,
    }


def _ended_at(charge: Charge) -> str | None:
    if charge.status == "pending" or charge.settle_at is None:
        return None
    return iso_instant(charge.settle_at)


def _post(post: ChargePost) -> dict[str, object]:
    return {
        "key": post.key,
        "amountUsd": None if post.amount is None else decimal_string(post.amount),
        "organisation": post.organization,
        "person": post.person,
        "at": iso_instant(post.at),
        "status": post.status,
        "answer": post.answer,
    }
