"""`/billing requests`: what waits, and deciding on a request: review, pay, deny."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.charge import already_message
from blocks.deciding import (
    AGREEING,
    DENIAL_NEEDED,
    add_card_for_modal,
    agree_modal,
    agreed_modal,
    approve_modal,
    asked_about_modal,
    blocked_modal,
    denied_modal,
    deny_modal,
    obstacle_modal,
    other_method_modal,
)
from blocks.errors import error_copy
from blocks.loading import loading_modal
from blocks.purchase import amount_problem
from blocks.request import requests_message
from blocks.request_forms import REVIEW
from bot.domain.errors import NotAllowedError, PortalRefusalError, RefusalCode, StaleError
from bot.domain.money import AmountError
from bot.domain.next_step import NeedsPaymentMethod
from bot.domain.request import FundsRequest
from bot.domain.request_errors import RequestError
from bot.domain.request_views import FirstReview, OtherMethod
from bot.domain.rules import RuleError
from bot.services.requests import one_line
from handlers.requests import repair_card, show_obstacle

if TYPE_CHECKING:
    from blocks.kit import Json
    from bot.domain.request_views import Looked
    from handlers.context import Context

LONGEST = 100
"""Of what is remembered to go on with; a request's id is shorter."""

_CANNOT_PAY = (NotAllowedError, RuleError, AmountError, PortalRefusalError)


async def handle_requests(context: Context) -> None:
    """Show the requests that concern the person; with an id, that one."""
    if context.text:
        request_id, context.text = context.text, ""
        await _review(context, request_id)
        return
    async with context.reply.patience():
        found = await context.runtime.requests.listed(context.identity, everything=True)
    now = context.runtime.clock.now()
    await context.reply.message(requests_message(found.waiting, found.own, found.organization, now))


async def handle_review(context: Context) -> None:
    """Show what a person must know to pay another's request, or why they cannot."""
    await _review(context, context.request.value)


async def _review(context: Context, request_id: str) -> None:
    context.wanted = f"{REVIEW} {request_id}"[:LONGEST]
    await context.reply.open_modal(titles.APPROVE_REQUEST)
    try:
        review = await context.runtime.approving.review(context.identity, request_id)
    except RequestError as error:
        await show_obstacle(context, error)
        await repair_card(context, error.request)
    except _CANNOT_PAY as error:
        await context.reply.show(await _blocked(context, request_id, error))
    else:
        await context.reply.show(await _looked(context, request_id, review))


async def _looked(context: Context, request_id: str, look: Looked, *, again: bool = False) -> Json:
    """Return the view of a person who may decide; `again`: it is not as they were shown it before."""
    now = context.runtime.clock.now()
    match look:
        case NeedsPaymentMethod(state=state):
            request = await context.runtime.approving.request(context.identity, request_id)
            return add_card_for_modal(request, state)
        case FirstReview():
            return agree_modal(look, now, again=again)
        case OtherMethod():
            name = await context.runtime.members.name(look.first.person)
            return other_method_modal(look, name)
    return approve_modal(look, now, again=again)


async def handle_agree(context: Context) -> None:
    """Store the yes of the first of two."""
    context.reply.in_submitted_modal(titles.APPROVE_REQUEST)
    doing = loading_modal(titles.APPROVE_REQUEST, doing=AGREEING)
    await context.reply.become(doing, _agree(context))


async def _agree(context: Context) -> Json:
    """Agree to what was shown; return the next view."""
    request_id, version, method = _shown(context.request.metadata)
    try:
        agreed = await context.runtime.approving.agree(
            context.identity, request_id, shown=version, method=method
        )
    except RequestError as error:
        return obstacle_modal(error, context.runtime.clock.now())
    except _CANNOT_PAY as error:
        return await _blocked(context, request_id, error)
    if isinstance(agreed, FundsRequest):
        return agreed_modal(agreed, following=await _following(context, agreed))
    return await _looked(context, request_id, agreed, again=True)


async def handle_ask_about(context: Context) -> None:
    """Ask the first of two to agree to the payment method with which this person would pay."""
    request_id = context.request.value
    await context.reply.open_modal(titles.APPROVE_REQUEST)
    try:
        asked = await context.runtime.approving.ask_about(context.identity, request_id)
    except RequestError as error:
        await show_obstacle(context, error)
    except _CANNOT_PAY as error:
        await context.reply.show(await _blocked(context, request_id, error))
    else:
        if isinstance(asked, FundsRequest):
            await context.reply.show(asked_about_modal(asked))
        else:
            await context.reply.show(await _looked(context, request_id, asked, again=True))


async def _blocked(context: Context, request_id: str, error: Exception) -> Json:
    """Return the view of a person who cannot pay now, and perhaps can deny.

    Whoever may never pay sees no more than that.
    """
    copy, portal_url = error_copy(error, now=context.runtime.clock.now(), incident="")
    if copy.connect or copy.enable:
        raise error
    words = f"{amount_problem(error)}." if isinstance(error, AmountError) else copy.words
    if isinstance(error, NotAllowedError) and error.code is RefusalCode.ROLE_REQUIRED:
        return blocked_modal(None, words, portal_url)
    request = await context.runtime.approving.request(context.identity, request_id)
    return blocked_modal(request, words, portal_url)


async def handle_deny(context: Context) -> None:
    """Ask for the reason of a denial."""
    context.wanted = f"{REVIEW} {context.request.value}"[:LONGEST]
    charge_id = context.request.metadata.partition(" ")[0] if context.request.modal else ""
    await context.reply.open_modal(titles.DENY)
    if charge_id and context.request.view.callback_id == ids.CONFIRM_VIEW:
        await context.runtime.purchases.cancel(context.identity, charge_id)
    try:
        request = await context.runtime.approving.require_denial(context.identity, context.request.value)
    except RequestError as error:
        await show_obstacle(context, error)
        await repair_card(context, error.request)
        return
    await context.reply.show(deny_modal(request))


async def handle_deny_form(context: Context) -> None:
    """Deny with the reason that was typed."""
    context.reply.in_submitted_modal(titles.DENY)
    reason = one_line(context.request.entered(ids.REASON) or "")
    if not reason:
        words = {ids.REASON: DENIAL_NEEDED}
        await context.reply.ack(response_action="errors", errors=words)
        return
    await context.reply.become(loading_modal(titles.DENY), _deny(context, reason))


async def _deny(context: Context, reason: str) -> Json:
    request_id, version, _ = _shown(context.request.metadata)
    try:
        request = await context.runtime.approving.deny(context.identity, request_id, reason, shown=version)
    except RequestError as error:
        return obstacle_modal(error, context.runtime.clock.now())
    return denied_modal(request, following=await _following(context, request))


async def _following(context: Context, request: FundsRequest) -> str | None:
    """Return the id of the next request that waits for this person; None if none does."""
    found = await context.runtime.requests.next_waiting(context.identity, but=request.id)
    return None if found is None else found.id


def _shown(metadata: str) -> tuple[str, int, str]:
    """Read what a modal remembers: a request's id, the version it showed, and perhaps a payment method."""
    request_id, _, rest = metadata.partition(" ")
    version, _, method = rest.partition(" ")
    if not (version.isascii() and version.isdecimal()):
        raise StaleError
    return request_id, int(version), method


async def handle_leave(context: Context) -> None:
    """Leave a request to others; the purchase's message says so."""
    charge_id = context.request.value
    if not await context.runtime.approving.leave(context.identity, charge_id):
        charge = await context.runtime.purchases.trace(context.identity, charge_id)
        await context.reply.message(already_message(charge))


ACTIONS = {
    ids.REQUESTS: handle_requests,
    ids.REVIEW: handle_review,
    ids.DENY: handle_deny,
    ids.ASK_ABOUT_CARD: handle_ask_about,
    ids.LEAVE_TO_OTHERS: handle_leave,
}
SUBMISSIONS = {ids.DENY_VIEW: handle_deny_form, ids.AGREE_VIEW: handle_agree}
