"""`/billing history` and `/billing trace [CHARGE]`: what was bought through the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.history import PAGE, history_message, no_trace_message, several_message, trace_message
from bot.domain.errors import ChargeNotFoundError, SeveralChargesError
from bot.log import fingerprint

if TYPE_CHECKING:
    from handlers.call import Call


async def handle_history(call: Call) -> None:
    """Show a page of the person's own charges."""
    named = str(call.action.get("value") or "")
    page = int(named) if named.isascii() and named.isdigit() else 0
    found = await call.runtime.purchases.history(call.identity, limit=PAGE + 1, offset=page * PAGE)
    await call.reply(history_message(found[:PAGE], page=page, more=len(found) > PAGE))


async def handle_trace(call: Call) -> None:
    """Tell the story of one of the person's charges; without a name, of the last one."""
    named = call.text or str(call.action.get("value") or "")
    try:
        charge = await call.runtime.purchases.trace(call.identity, named or None)
    except ChargeNotFoundError:
        await call.reply(no_trace_message())
        return
    except SeveralChargesError:
        await call.reply(several_message())
        return
    telling = await call.runtime.messages.get(charge.id)
    await call.reply(trace_message(charge, telling, key_fingerprint=fingerprint(charge.idempotency_key)))


ACTIONS = {
    ids.HISTORY: handle_history,
    f"{ids.HISTORY_PAGE}_newer": handle_history,
    f"{ids.HISTORY_PAGE}_older": handle_history,
}
TRACE_ACTIONS = {ids.TRACE: handle_trace}
