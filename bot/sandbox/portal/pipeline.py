"""The wrappers of a handler: they answer refusals, apply faults and record posts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.portal.faults import DroppedConnection, LateResponse, wait_while_connected
from bot.sandbox.portal.gates import caller_if_known
from bot.sandbox.portal.ledger import ChargePost
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import load_json, whole_or_decimal

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.sandbox.portal.accounts import Accounts
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.scenario import Scenario

Work = Callable[[], Awaitable[Response]]
Handler = Callable[["Accounts", "Request"], Awaitable[Response]]
FaultOf = Callable[["Scenario"], "Fault | None"]


def api_route(accounts: Accounts, path: str, method: str, handler: Handler) -> Route:
    """Return a route that answers refusals and applies the faults of `Accounts.fail`."""

    async def endpoint(request: Request) -> Response:
        fault = accounts.injected_fault(request)
        return await respond_with_fault(
            accounts, fault, request, lambda: _answer(accounts, request, handler)
        )

    return Route(path, endpoint, methods=[method])


def with_scenario_faults(handler: Handler, *fault_of: FaultOf) -> Handler:
    """Return the handler with the faults of the scenario of the caller's organization."""

    async def wrapped(accounts: Accounts, request: Request) -> Response:
        caller = caller_if_known(accounts, request)
        fault = None
        if caller is not None:
            row = caller.scenario
            fault = next((found for each in fault_of if (found := each(row))), None)
        return await respond_with_fault(accounts, fault, request, lambda: handler(accounts, request))

    return wrapped


def charge_route(accounts: Accounts, path: str, handler: Handler) -> Route:
    """Return an `api_route` that records every post and its answer."""
    inner = api_route(accounts, path, "POST", handler).endpoint

    async def endpoint(request: Request) -> Response:
        post = await _record_post(accounts, request)
        response: Response = await inner(request)
        _record_answer(post, response)
        return response

    return Route(path, endpoint, methods=["POST"])


async def respond_with_fault(
    accounts: Accounts, fault: Fault | None, request: Request, work: Work
) -> Response:
    """Perform the work under the fault and return the response for the client."""
    if fault is None:
        return await work()
    seconds = accounts.hang_seconds if fault.hangs else fault.seconds
    if fault.after_work:
        done = await work()
        response = fault.answer() if fault.replaces_answer else done
        return LateResponse(response, seconds) if seconds else response
    # The body is read first, because the wait would consume its message.
    await request.body()
    if seconds and not await wait_while_connected(seconds, request.receive):
        return DroppedConnection()
    return fault.answer() if fault.replaces_answer else await work()


async def _answer(accounts: Accounts, request: Request, handler: Handler) -> Response:
    try:
        return await handler(accounts, request)
    except RefusalError as refusal:
        return refusal.response()


async def _record_post(accounts: Accounts, request: Request) -> ChargePost:
    caller = caller_if_known(accounts, request)
    try:
        amount = whole_or_decimal(load_json(await request.body())["amountUsd"])
    except (ValueError, LookupError, TypeError):
        amount = None
    post = ChargePost(
        key=request.headers.get("idempotency-key"),
        amount=amount,
        organization=caller.membership.slug if caller and caller.membership else None,
        person=None if caller is None else caller.person.key,
        at=accounts.now(),
    )
    accounts.ledger.posts.append(post)
    return post


def _record_answer(post: ChargePost, response: Response) -> None:
    if isinstance(response, LateResponse):
        response = response.response
    if isinstance(response, DroppedConnection):
        post.answer = "dropped"
        return
    post.status = response.status_code
    try:
        body = load_json(bytes(response.body))
    except ValueError:
        post.answer = "not JSON"
        return
    known = body if isinstance(body, dict) else {}
    post.answer = str(known.get("chargeId") or known.get("error") or "nothing")
