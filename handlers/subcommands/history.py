"""`/billing history` and `/billing trace [CHARGE]`: the person's purchases through the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.history import (
    PAGE,
    history_message,
    no_trace_message,
    request_trace_message,
    several_message,
    trace_message,
)
from blocks.request_words import status_words
from bot.domain.errors import ChargeNotFoundError, SeveralChargesError
from bot.domain.request_errors import RequestNotFoundError
from bot.log import fingerprint
from bot.storage.deliveries import delivery_of
from bot.storage.requests.rows import REQUEST

if TYPE_CHECKING:
    from blocks.kit import Message
    from handlers.context import Context


async def handle_history(context: Context) -> None:
    """Show a page of the person's own charges."""
    named = context.request.value
    page = int(named) if named.isascii() and named.isdigit() else 0
    found = await context.runtime.purchases.history(context.identity, limit=PAGE + 1, offset=page * PAGE)
    await context.reply.message(history_message(found[:PAGE], page=page, more=len(found) > PAGE))


async def handle_trace(context: Context) -> None:
    """Show the trace of one of the person's charges; without a name, of the latest."""
    named = context.text or context.request.value
    await context.reply.push_modal(titles.PURCHASE_DETAILS)
    try:
        charge = await context.runtime.purchases.trace(context.identity, named or None)
    except ChargeNotFoundError:
        await context.reply.message(await _request_trace(context, named) or no_trace_message())
        return
    except SeveralChargesError:
        await context.reply.message(several_message())
        return
    delivery = await delivery_of(context.runtime.database, charge.id)
    request = (
        None if charge.request_id is None else await context.runtime.request_store.get(charge.request_id)
    )
    votes = () if request is None else await context.runtime.deciding.all_votes(request.id)
    key = fingerprint(charge.idempotency_key)
    await context.reply.message(
        trace_message(charge, delivery, key_fingerprint=key, request=request, votes=votes)
    )


async def _request_trace(context: Context, named: str) -> Message | None:
    """Return the trace of a request with this id, for its requester and whoever may charge there."""
    runtime = context.runtime
    if not named or not runtime.requests.are_on:
        return None
    try:
        request = await runtime.requests.visible(context.identity, named)
    except RequestNotFoundError:
        return None
    charge = None if request.charge_id is None else await runtime.charges.get(request.charge_id)
    readers = await runtime.deliveries.readers(REQUEST, request.id)
    told = [each for each in readers if each.key != request.requester.key]
    return request_trace_message(
        request,
        status_words(request, charge, runtime.clock.now()),
        told,
        await runtime.deciding.all_votes(request.id),
        is_own=request.requester.key == context.identity.key,
    )


ACTIONS = {
    ids.HISTORY: handle_history,
    f"{ids.HISTORY_PAGE}_newer": handle_history,
    f"{ids.HISTORY_PAGE}_older": handle_history,
}
TRACE_ACTIONS = {ids.TRACE: handle_trace}
