"""`/billing request [AMOUNT] [REASON]`: ask for funds, and what a requester does with a request."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.deciding import obstacle_modal
from blocks.loading import loading_modal
from blocks.purchase import AmountForm
from blocks.request_forms import (
    ASKING,
    REASON_NEEDED,
    AskedFor,
    ask_modal,
    asked_modal,
    asked_words,
    filing_problem,
    may_add_modal,
    member_cap_modal,
    reminded_message,
    too_soon_message,
)
from bot.domain.budget import Whose
from bot.domain.errors import BillingError, StaleError
from bot.domain.money import AmountError, parse_typed, show
from bot.domain.request_errors import (
    AskedAlreadyError,
    MayAddItselfError,
    MemberCapError,
    RemindedAlreadyError,
    RequestError,
)
from bot.services.requests import one_line
from handlers.chosen_amount import chosen_amount
from handlers.requests import repair_card, show_obstacle, show_own

if TYPE_CHECKING:
    from decimal import Decimal

    from blocks.kit import Json
    from bot.domain.request import FundsRequest
    from bot.domain.request_views import AskForm
    from handlers.context import Context


async def handle_request(context: Context) -> None:
    """Open the form with what was typed."""
    typed, reason = _read(context.text)
    await context.reply.open_modal(titles.ASK_FOR_FUNDS)
    await context.reply.show(await _form(context, typed, reason))


async def handle_ask(context: Context) -> None:
    """Open the form; with the id of a former request, as that one was."""
    typed, reason = "", ""
    context.wanted = "request"
    await context.reply.open_modal(titles.ASK_FOR_FUNDS)
    if context.request.value:
        former = await context.runtime.requests.mine(context.identity, context.request.value)
        typed, reason = show(former.amount), former.reason
    await context.reply.show(await _form(context, typed, reason))


async def handle_ask_anyway(context: Context) -> None:
    """Open the form although asking may not be what helps."""
    typed, reason = _read(context.request.value)
    await context.reply.open_modal(titles.ASK_FOR_FUNDS)
    await context.reply.show(await _form(context, typed, reason, anyway=True))


async def handle_edit(context: Context) -> None:
    """Open the form with the request as it is."""
    await context.reply.open_modal(titles.ASK_FOR_FUNDS)
    try:
        request = await context.runtime.requests.open_one(context.identity, context.request.value)
    except RequestError as error:
        await show_obstacle(context, error)
        return
    form = await context.runtime.requests.form(context.identity, anyway=True)
    kept = _kept(form, edits=request)
    await context.reply.show(ask_modal(kept, typed=show(request.amount), reason=request.reason))


async def handle_ask_form(context: Context) -> None:
    """Read the form; file or change the request, or say in the form why that cannot be."""
    context.reply.in_submitted_modal(titles.ASK_FOR_FUNDS)
    form = AskedFor.recall(context.request.metadata)
    reason = one_line(context.request.entered(ids.REASON) or "")
    if form.needs_reason and not reason:
        words = {ids.REASON: REASON_NEEDED}
        await context.reply.ack(response_action="errors", errors=words)
        return
    try:
        amount = form.amounts.offer.bounds.check(chosen_amount(context.request, form.amounts))
    except AmountError as error:
        words = {ids.AMOUNT_CUSTOM: form.amounts.problem(error)}
        await context.reply.ack(response_action="errors", errors=words)
        return
    context.wanted = f"request {format(amount, 'f')} {reason}"[:100]
    if form.has_channels:
        form = replace(form, channel=context.request.entered(ids.ASK_TEAM))
    work = _store(context, form, amount, reason)
    await context.reply.become(loading_modal(titles.ASK_FOR_FUNDS, doing=ASKING), work)


async def _store(context: Context, form: AskedFor, amount: Decimal, reason: str) -> Json:
    """File the request, or change it; return the next view."""
    requests = context.runtime.requests
    already = None
    try:
        if form.edits:
            request = await requests.edit(context.identity, form.edits, amount, reason, shown=form.version)
        else:
            request = await requests.file(
                context.identity,
                amount,
                reason,
                account=form.account,
                form_id=context.request.view.id,
                channel=form.channel,
            )
    except RequestError as error:
        return obstacle_modal(error, context.runtime.clock.now())
    except BillingError as error:
        problem = filing_problem(error)
        if problem is None:
            raise
        already = error.request if isinstance(error, AskedAlreadyError) else None
        return ask_modal(form, typed=show(amount), reason=reason, problem=problem, already=already)
    return asked_modal(request, edited=bool(form.edits))


async def handle_withdraw(context: Context) -> None:
    """Take a request back; its card says so, and the modal where it was clicked."""
    try:
        request = await context.runtime.requests.withdraw(context.identity, context.request.value)
    except RequestError as error:
        await _answer_obstacle(context, error)
        return
    if context.request.clicked_message is None:
        await show_own(context, request)


async def handle_remind(context: Context) -> None:
    """Remind those who were told."""
    try:
        request = await context.runtime.requests.remind(context.identity, context.request.value)
    except RemindedAlreadyError as error:
        await context.reply.message(too_soon_message(error.at))
    except RequestError as error:
        await _answer_obstacle(context, error)
    else:
        await context.reply.message(reminded_message(request))


async def handle_show(context: Context) -> None:
    """Show one of the person's own requests as its card does."""
    request = await context.runtime.requests.mine(context.identity, context.request.value)
    await context.reply.push_modal(titles.REQUEST)
    await show_own(context, request)


async def _answer_obstacle(context: Context, error: RequestError) -> None:
    """Say what has become of a request, and bring the clicked card up to date."""
    await context.reply.open_modal(titles.REQUEST)
    await show_obstacle(context, error)
    await repair_card(context, error.request)


async def _form(context: Context, typed: str, reason: str, *, anyway: bool = False) -> Json:
    """Return the form, or why asking is not what helps."""
    try:
        form = await context.runtime.requests.form(context.identity, amount=_amount(typed), anyway=anyway)
    except MayAddItselfError:
        return may_add_modal(typed, reason)
    except MemberCapError as error:
        return member_cap_modal(error, typed, reason)
    kept = _kept(form, channel=context.request.team_channel)
    return ask_modal(kept, typed=typed or None, reason=reason, problem=_problem(kept, typed))


def _amount(typed: str) -> Decimal | None:
    try:
        return parse_typed(typed)
    except AmountError:
        return None


def _problem(form: AskedFor, typed: str) -> str | None:
    """Say what is wrong with an amount that was typed in the command."""
    if not typed:
        return None
    try:
        form.amounts.offer.bounds.check(parse_typed(typed))
    except AmountError as error:
        return f"{form.amounts.problem(error)}."
    return None


def _kept(form: AskForm, *, edits: FundsRequest | None = None, channel: str | None = None) -> AskedFor:
    if edits is not None and edits.organization_id != form.account.organization_id:
        raise StaleError
    return AskedFor(
        amounts=AmountForm.of(form.state, form.offer),
        account=form.account.account_id,
        organization=form.account.organization_name,
        asked=asked_words(form.approvers, form.account.organization_name, form.policy),
        needs_reason=not form.policy.is_reason_optional,
        edits="" if edits is None else edits.id,
        version=0 if edits is None else edits.version,
        channel=channel,
        has_channels=any(each.whose is Whose.CHANNEL for each in form.policy.budgets),
    )


def _read(typed: str) -> tuple[str, str]:
    """Return the amount and the reason that were typed; the amount is empty if there is none."""
    first, _, rest = typed.partition(" ")
    try:
        return show(parse_typed(first)), one_line(rest)
    except AmountError:
        is_meant = first.removeprefix("$")[:1].isdecimal()
        return (first, one_line(rest)) if is_meant else ("", one_line(typed))


ACTIONS = {
    ids.ASK: handle_ask,
    ids.ASK_ANYWAY: handle_ask_anyway,
    ids.EDIT_REQUEST: handle_edit,
    ids.WITHDRAW_REQUEST: handle_withdraw,
    ids.REMIND: handle_remind,
    ids.SHOW_REQUEST: handle_show,
}
SUBMISSIONS = {ids.ASK_VIEW: handle_ask_form}
