"""The job of a request for funds, and the content of its cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.request import approver_card, approver_reply, requester_card, requester_reply
from bot.domain.delivery import Drawing, Reply
from bot.domain.request import RequestState
from bot.services.routing import MOST_TOLD
from bot.storage.requests.rows import REQUEST

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Message
    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.engine import Lease, Released
    from bot.runtime import Runtime


async def advance_request(runtime: Runtime, lease: Lease[FundsRequest]) -> Released | datetime | None:
    """Do what time has brought."""
    return await runtime.requests.advance(lease)


async def draw_request(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what a request's card shows to its reader now, and the reply about its last decision."""
    request = await runtime.request_store.get(delivery.subject_id)
    if request is None:
        return None
    charge = await _charge_of(runtime, request)
    card = await request_card(runtime, request, delivery.recipient)
    if request.requester.key == delivery.recipient.key:
        reply, key = requester_reply(request, charge), f"{request.state.value}-{request.tries}"
    else:
        reply, key = approver_reply(request), f"open-{request.tries}-{request.reminders}"
        if not _is_news(request, delivery):
            reply = None
    return Drawing(message=card.json, reply=_reply(reply, key))


def _is_news(request: FundsRequest, delivery: Delivery) -> bool:
    """Tell whether the last event came after this reader had got their card."""
    last = request.reminded_at if request.was_reminded_last else request.decided_at
    return last is not None and last > delivery.created_at


async def request_card(runtime: Runtime, request: FundsRequest, reader: Identity) -> Message:
    """Return the card of a request for one reader: its requester, or a person who can pay."""
    charge, now = await _charge_of(runtime, request), runtime.clock.now()
    readers = await runtime.deliveries.readers(REQUEST, request.id)
    told = [each for each in readers if each.key != request.requester.key]
    is_full = len(told) >= MOST_TOLD and request.state is RequestState.OPEN
    more = (await runtime.requests.approvers_of(request)).more if is_full else 0
    if request.requester.key == reader.key:
        return requester_card(request, charge, now, told, more=more)
    return approver_card(request, charge, now, more=more)


async def _charge_of(runtime: Runtime, request: FundsRequest) -> Charge | None:
    return None if request.charge_id is None else await runtime.charges.get(request.charge_id)


def _reply(message: Message | None, key: str) -> Reply | None:
    return None if message is None else Reply(key=key, message=message.json)
