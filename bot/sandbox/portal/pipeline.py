"""What happens around a handler: refusals become answers, faults strike, posts are written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.portal.faults import DroppedConnection, LateResponse, still_there_after
from bot.sandbox.portal.gates import caller_if_known
from bot.sandbox.portal.ledger import ChargePost
from bot.sandbox.portal.refusals import RefusalError
from bot.sandbox.portal.wire import load_json, whole_or_decimal

if TYPE_CHECKING:
    from starlette.requests import Request

    from bot.sandbox.portal.estate import Estate
    from bot.sandbox.portal.faults import Fault
    from bot.sandbox.portal.scenarios import Scenario

Work = Callable[[], Awaitable[Response]]
Handler = Callable[["Estate", "Request"], Awaitable[Response]]
FaultOf = Callable[["Scenario"], "Fault | None"]


def api_route(estate: Estate, path: str, method: str, handler: Handler) -> Route:
    """A route whose refusals are answered and which `Estate.fail` can strike."""

    async def endpoint(request: Request) -> Response:
        fault = estate.injected_fault(request)
        return await meet(estate, fault, request, lambda: _answered(estate, request, handler))

    return Route(path, endpoint, methods=[method])


def struck_by_scenario(handler: Handler, *fault_of: FaultOf) -> Handler:
    """The handler, with the faults that the caller's organisation has switched on."""

    async def struck(estate: Estate, request: Request) -> Response:
        caller = caller_if_known(estate, request)
        fault = None
        if caller is not None:
            row = caller.scenario
            fault = next((found for each in fault_of if (found := each(row))), None)
        return await meet(estate, fault, request, lambda: handler(estate, request))

    return struck


def charge_route(estate: Estate, path: str, handler: Handler) -> Route:
    """An `api_route` for the charge: whatever becomes of a post, it is written down."""
    inner = api_route(estate, path, "POST", handler).endpoint

    async def endpoint(request: Request) -> Response:
        post = await _arrived(estate, request)
        response: Response = await inner(request)
        _note(post, response)
        return response

    return Route(path, endpoint, methods=["POST"])


async def meet(estate: Estate, fault: Fault | None, request: Request, work: Work) -> Response:
    """Carry the work out under the fault and return what the client is to get."""
    if fault is None:
        return await work()
    seconds = estate.hang_seconds if fault.hangs else fault.seconds
    if fault.after_work:
        done = await work()
        response = fault.answer() if fault.replaces_answer else done
        return LateResponse(response, seconds) if seconds else response
    # Read before the wait, which listens for the client's leaving and would take the body for it.
    await request.body()
    if seconds and not await still_there_after(seconds, request.receive):
        return DroppedConnection()
    return fault.answer() if fault.replaces_answer else await work()


async def _answered(estate: Estate, request: Request, handler: Handler) -> Response:
    try:
        return await handler(estate, request)
    except RefusalError as refusal:
        return refusal.response()


async def _arrived(estate: Estate, request: Request) -> ChargePost:
    caller = caller_if_known(estate, request)
    try:
        amount = whole_or_decimal(load_json(await request.body())["amountUsd"])
    except (ValueError, LookupError, TypeError):
        amount = None
    post = ChargePost(
        key=request.headers.get("idempotency-key"),
        amount=amount,
        organisation=caller.membership.slug if caller and caller.membership else None,
        person=None if caller is None else caller.person.key,
        at=estate.now(),
    )
    estate.ledger.posts.append(post)
    return post


def _note(post: ChargePost, response: Response) -> None:
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
