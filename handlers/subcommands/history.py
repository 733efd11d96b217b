"""`/billing history` and `/billing trace [CHARGE]`: the person's purchases through the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.history import PAGE, history_message, no_trace_message, several_message, trace_message
from bot.domain.errors import ChargeNotFoundError, SeveralChargesError
from bot.log import fingerprint
from bot.storage.deliveries import delivery_of

if TYPE_CHECKING:
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
        await context.reply.message(no_trace_message())
        return
    except SeveralChargesError:
        await context.reply.message(several_message())
        return
    delivery = await delivery_of(context.runtime.database, charge.id)
    await context.reply.message(
        trace_message(charge, delivery, key_fingerprint=fingerprint(charge.idempotency_key))
    )


ACTIONS = {
    ids.HISTORY: handle_history,
    f"{ids.HISTORY_PAGE}_newer": handle_history,
    f"{ids.HISTORY_PAGE}_older": handle_history,
}
TRACE_ACTIONS = {ids.TRACE: handle_trace}
