"""The job of a request for funds, and the content of its cards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from blocks.request import (
    PERSON,
    Reader,
    approver_card,
    approver_reply,
    requester_card,
    requester_reply,
)
from blocks.words import person
from bot.domain.delivery import Drawing, Reply, is_channel
from bot.domain.policy import TWO
from bot.domain.request import RequestState
from bot.domain.request_views import Approvers, Event, last_event
from bot.domain.vote import VoteKind
from bot.services.routing import MOST_TOLD
from bot.storage.requests.rows import REQUEST

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.kit import Message
    from bot.domain.charge import Charge
    from bot.domain.delivery import Delivery
    from bot.domain.identity import Identity
    from bot.domain.request import FundsRequest
    from bot.domain.request_views import FirstOfTwo
    from bot.engine import Lease, Released
    from bot.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """A request with what its cards show beside it."""

    request: FundsRequest
    charge: Charge | None
    first: FirstOfTwo | None


async def advance_request(runtime: Runtime, lease: Lease[FundsRequest]) -> Released | datetime | None:
    """Do what time has brought."""
    return await runtime.request_worker.advance(lease)


async def draw_request(runtime: Runtime, delivery: Delivery) -> Drawing | None:
    """Return what a request's card shows to its reader now, and the reply about its last event."""
    request = await runtime.request_store.get(delivery.subject_id)
    if request is None:
        return None
    otherwise, takes_posts = None, True
    if is_channel(delivery.recipient):
        channel = delivery.recipient.user
        if delivery.ts is None and not await _goes_to_channel(runtime, request, channel):
            return None
        otherwise = partial(runtime.routing.tell_directly, request, channel)
        takes_posts = await runtime.people.channels.problem(request.requester, channel) is None
    facts = await _facts(runtime, request)
    if request.requester.key == delivery.recipient.key:
        card = await _own_card(runtime, facts)
        reply = requester_reply(request, facts.charge, facts.first)
        key = _event_key(facts, None) or f"{request.state.value}-{request.tries}"
    else:
        reader = await _reader(runtime, facts, delivery.recipient)
        card = await _card(runtime, facts, reader)
        is_told = takes_posts and _is_news(facts, delivery)
        reply = approver_reply(request, facts.first, reader) if is_told else None
        key = _event_key(facts, request.reminded_at) or f"open-{request.tries}-{request.reminders}"
    return Drawing(message=card.json, reply=_reply(reply, key), posts_anew=takes_posts, otherwise=otherwise)


def _event_key(facts: _Facts, reminded_at: datetime | None) -> str | None:
    """Return the key of the reply about the first of two; None if the last event is another."""
    event = last_event(replace(facts.request, reminded_at=reminded_at), facts.first)
    if facts.request.state is not RequestState.OPEN or event is None or facts.first is None:
        return None
    vote = facts.first.vote or facts.first.lost
    return f"{event[0].value}-{vote.id[:16]}" if vote and event[0] in {Event.AGREED, Event.LOST} else None


async def _goes_to_channel(runtime: Runtime, request: FundsRequest, channel: str) -> bool:
    """Tell whether a channel gets the card now, rather than people."""
    readers = await runtime.deliveries.readers(REQUEST, request.id)
    others = [each for each in readers if each.key != request.requester.key and not is_channel(each)]
    return not others and await runtime.routing.goes_to_channel(request, channel)


def _is_news(facts: _Facts, delivery: Delivery) -> bool:
    """Tell whether the last event came after this reader had got their card, and is not their own."""
    event = last_event(facts.request, facts.first)
    vote = None if facts.first is None else facts.first.vote
    is_own = vote is not None and vote.person.key == delivery.recipient.key
    return event is not None and event[1] > delivery.created_at and not is_own


async def request_card(runtime: Runtime, request: FundsRequest, reader: Identity) -> Message:
    """Return the card of a request for one reader: its requester, a person who can pay, or a channel."""
    facts = await _facts(runtime, request)
    if request.requester.key == reader.key:
        return await _own_card(runtime, facts)
    return await _card(runtime, facts, await _reader(runtime, facts, reader))


async def _facts(runtime: Runtime, request: FundsRequest) -> _Facts:
    charge = None if request.charge_id is None else await runtime.charges.get(request.charge_id)
    first = await runtime.deciding.first_of_two(request)
    return _Facts(request=request, charge=charge, first=first)


async def _own_card(runtime: Runtime, facts: _Facts) -> Message:
    request = facts.request
    readers = await runtime.deliveries.readers(REQUEST, request.id)
    told = [each for each in readers if each.key != request.requester.key]
    people = tuple(each for each in told if not is_channel(each))
    channel = next((each.user for each in told if is_channel(each)), None)
    approvers = Approvers(told=people, channel=channel if len(told) > len(people) else None)
    is_open = request.state is RequestState.OPEN
    if is_open and (len(people) >= MOST_TOLD or facts.first is not None):
        able = await runtime.requests.approvers_of(request)
        more = able.more if len(people) >= MOST_TOLD else 0
        approvers = replace(approvers, more=more, is_short=_is_short(facts.first, able))
    now = runtime.clock.now()
    return requester_card(request, facts.charge, now, approvers, first=facts.first)


def _is_short(first: FirstOfTwo | None, able: Approvers) -> bool:
    """Tell whether two people decide, and too few are there for that."""
    if first is None:
        return False
    counts = first.vote is not None and first.vote.kind is VoteKind.ASKED
    return able.able < (TWO - 1 if counts else TWO)


async def _card(runtime: Runtime, facts: _Facts, reader: Reader) -> Message:
    request, more = facts.request, 0
    if request.state is RequestState.OPEN and not reader.in_channel:
        readers = await runtime.deliveries.readers(REQUEST, request.id)
        if len(readers) > MOST_TOLD:
            more = (await runtime.requests.approvers_of(request)).more
    now = runtime.clock.now()
    return approver_card(request, facts.charge, now, more=more, first=facts.first, reader=reader)


async def _reader(runtime: Runtime, facts: _Facts, reader: Identity) -> Reader:
    """Return what a card needs to know of its reader."""
    if not is_channel(reader):
        link = await runtime.links.get(reader)
        is_connected = link is not None and link.account.organization_id == facts.request.organization_id
        return replace(PERSON, is_connected=is_connected)
    names = await _names(runtime, facts)
    return Reader(in_channel=True, say=lambda key: names.get(key, person(None, "")))


async def _names(runtime: Runtime, facts: _Facts) -> dict[str, str]:
    """Return the names of the people whom a card names, by their keys: a mention would call them."""
    request, first = facts.request, facts.first
    found = [request.requester]
    if request.decided_by is not None:
        found.append(replace(request.requester, user=request.decided_by.rpartition(":")[2]))
    if first is not None:
        found += [each.person for each in (first.vote, first.lost) if each is not None]
    return {each.key: person(await runtime.members.name(each), "") for each in found}


def _reply(message: Message | None, key: str) -> Reply | None:
    return None if message is None else Reply(key=key, message=message.json)
