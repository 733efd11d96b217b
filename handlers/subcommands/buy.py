"""`/billing buy [AMOUNT]`: from the amount to the confirmation. The engine does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids, titles
from blocks.charge import (
    already_message,
    charge_message,
    charge_modal,
    permission_missing_message,
    resumed_message,
)
from blocks.deciding import approval, obstacle_modal
from blocks.help import amount_help_message
from blocks.loading import loading_modal
from blocks.purchase import (
    STORING,
    AmountForm,
    add_card_modal,
    amount_modal,
    amount_problem,
    closed_modal,
    confirm_modal,
    processing_modal,
)
from blocks.request_forms import ask_instead_modal
from blocks.subscription import upgrade_modal
from bot.domain.charge import ON_ITS_WAY, OPEN, ChargeKind
from bot.domain.errors import BillingError, PermissionMissingError
from bot.domain.money import AmountError, parse_typed, show
from bot.domain.next_step import AskInstead, ChooseAmount, Confirm, NeedsPaymentMethod
from bot.domain.request_errors import RequestError
from bot.services.purchases import BuyAgainError
from handlers.chosen_amount import chosen_amount
from handlers.home import remember_overview

if TYPE_CHECKING:
    from decimal import Decimal

    from blocks.kit import Json
    from bot.domain.billing import BillingState
    from handlers.context import Context


async def handle_buy(context: Context) -> None:
    """Ask for an amount, or show the confirmation of the typed one."""
    amount = None
    if context.text:
        try:
            amount = parse_typed(context.text)
        except AmountError as error:
            await context.reply.message(amount_help_message(context.text, amount_problem(error)))
            return
    await context.reply.open_modal(titles.ADD_FUNDS)
    await context.reply.show(await _next_step(context, amount, context.request.team_channel))


async def handle_add_funds(context: Context) -> None:
    """Ask for an amount."""
    context.wanted = "buy"
    await context.reply.open_modal(titles.ADD_FUNDS)
    await remember_overview(context)
    await context.reply.show(await _next_step(context, None, context.request.team_channel))


async def handle_refresh_amount(context: Context) -> None:
    """Show the form with the current balance; keep the chosen and typed amounts."""
    context.reply.in_modal(titles.ADD_FUNDS)
    chosen, typed = context.request.entered(ids.AMOUNT_PRESET), context.request.entered(ids.AMOUNT_CUSTOM)
    channel = AmountForm.recall(context.request.metadata).channel
    await context.reply.show(await _ask_amount(context, channel, chosen=chosen, typed=typed))


async def handle_amount(context: Context) -> None:
    """Read the chosen amount; show the confirmation, or the problem next to the input."""
    context.reply.in_submitted_modal(titles.ADD_FUNDS)
    form = AmountForm.recall(context.request.metadata)
    try:
        amount = form.offer.bounds.check(chosen_amount(context.request, form))
    except AmountError as error:
        words = {ids.AMOUNT_CUSTOM: form.problem(error)}
        await context.reply.ack(response_action="errors", errors=words)
        return
    context.wanted = f"buy {format(amount, 'f')}"
    await context.reply.become(loading_modal(titles.ADD_FUNDS), _next_step(context, amount, form.channel))


async def handle_back(context: Context) -> None:
    """Return to the amount; cancel the shown proposal."""
    await context.reply.open_modal(titles.ADD_FUNDS)
    charge_id = context.request.value
    is_card_view = context.request.view.callback_id == ids.CARD_VIEW
    typed, channel = _amount_and_channel(context) if is_card_view else ("", None)
    if charge_id:
        charge = await context.runtime.purchases.cancel(context.identity, charge_id)
        typed, channel = show(charge.amount), charge.channel
    await context.reply.show(await _ask_amount(context, channel, typed=typed or None))


async def handle_check_card(context: Context) -> None:
    """Check again for a payment method; if there is one, continue with the purchase."""
    await context.reply.open_modal(titles.ADD_CARD)
    typed, channel = _amount_and_channel(context)
    amount = parse_typed(typed) if typed else None
    await context.reply.show(await _next_step(context, amount, channel, checked=True))


def _amount_and_channel(context: Context) -> tuple[str, str | None]:
    """Read what the modal that asks for a card keeps."""
    typed, _, channel = context.request.metadata.partition(" ")
    return typed, channel or None


async def handle_pay(context: Context) -> None:
    """Store the confirmation first; the acknowledgement then shows that the charge is in progress."""
    context.reply.in_submitted_modal(titles.CONFIRM_PURCHASE)
    # A slow database must not delay the acknowledgement for too long.
    await context.reply.become(loading_modal(titles.CONFIRM_PURCHASE, doing=STORING), _confirm(context))


async def _confirm(context: Context) -> Json:
    """Store the confirmation, once; return the next view."""
    charge_id, _, warned_of = context.request.metadata.partition(" ")
    try:
        charge = await context.runtime.purchases.confirm(
            context.identity, charge_id, view_id=context.reply.view_id, warned_of=warned_of or None
        )
    except BuyAgainError as error:
        return await _ask_again(context, error)
    except RequestError as error:
        return obstacle_modal(error, context.runtime.clock.now())
    return processing_modal(charge) if charge.state in ON_ITS_WAY else charge_modal(charge)


async def _ask_again(context: Context, error: BuyAgainError) -> Json:
    """Return the confirmation that warns of an equal charge."""
    charge, other = error.charge, error.other
    if charge.kind is ChargeKind.UPGRADE:
        return upgrade_modal(charge, open_equal=other)
    state = await _state(context)
    if charge.request_id is None:
        return confirm_modal(charge, open_equal=other, state=state)
    request = await context.runtime.approving.request(context.identity, charge.request_id)
    return approval(request, charge, open_equal=other, state=state)


async def handle_confirm_closed(context: Context) -> None:
    """Cancel the proposal, because the person closed the confirmation."""
    await context.runtime.purchases.cancel(context.identity, context.request.metadata.partition(" ")[0])


async def handle_check_again(context: Context) -> None:
    """Have an open charge checked now; its message, or the modal, is updated."""
    charge = await context.runtime.purchases.check_again(
        context.identity, context.request.value, view_id=context.request.modal_id
    )
    if charge.state not in OPEN:
        await context.reply.message(charge_message(charge))
    elif context.request.modal is not None:
        await context.reply.await_outcome(loading_modal(titles.CHECKING), titles.CHECKING)


async def handle_resume(context: Context) -> None:
    """Continue a purchase that waited for the billing permission: same charge, same key."""
    charge_id = context.request.value
    try:
        charge, resumed = await context.runtime.purchases.resume(
            context.identity, charge_id, view_id=context.request.modal_id
        )
    except PermissionMissingError:
        charge = await context.runtime.purchases.trace(context.identity, charge_id)
        await context.reply.message(permission_missing_message(charge))
        return
    except BuyAgainError as error:
        await context.reply.open_modal(titles.CONFIRM_PURCHASE)
        await context.reply.show(await _ask_again(context, error))
        return
    except RequestError as error:
        await context.reply.open_modal(titles.REQUEST)
        await context.reply.show(obstacle_modal(error, context.runtime.clock.now()))
        return
    if not resumed:
        await context.reply.message(already_message(charge))
    elif context.request.modal is not None:
        await context.reply.await_outcome(processing_modal(charge), titles.PROCESSING)
    elif context.request.in_ephemeral:
        await context.reply.message(resumed_message(charge))


async def _next_step(
    context: Context, amount: Decimal | None, channel: str | None, *, checked: bool = False
) -> Json:
    """Return the next view of a purchase; `checked`: the person asked to check the payment method.

    `channel` is where the purchase was asked for.
    """
    match await context.runtime.purchases.next_step(context.identity, amount, channel=channel):
        case NeedsPaymentMethod(state=state):
            return add_card_modal(
                state,
                typed=show(amount) if amount is not None else None,
                still_missing=checked,
                channel=channel,
            )
        case Confirm(proposal=proposal, state=state):
            return confirm_modal(proposal.charge, open_equal=proposal.open_equal, state=state)
        case AskInstead() as step:
            return ask_instead_modal(step)
        case ChooseAmount() as choice:
            return await _choose(context, choice, channel)


async def _choose(
    context: Context,
    choice: ChooseAmount,
    channel: str | None,
    *,
    chosen: str | None = None,
    typed: str | None = None,
) -> Json:
    """Return the view that asks for an amount, or says why nothing can be charged."""
    now = context.runtime.clock.now()
    newest = await context.runtime.purchases.history(context.identity, limit=1)
    last = newest[0].amount if newest else None
    form = AmountForm.of(
        choice.state, choice.offer, read_at=now, account=choice.account, last=last, channel=channel
    )
    if choice.offer.is_closed:
        return closed_modal(form, choice.state)
    if choice.amount is None:
        return amount_modal(form, chosen=chosen, typed=typed)
    problem = form.problem(choice.problem) if choice.problem is not None else None
    return amount_modal(form, typed=show(choice.amount), problem=problem)


async def _ask_amount(
    context: Context, channel: str | None, *, chosen: str | None = None, typed: str | None = None
) -> Json:
    """Ask for the amount again, with the values chosen and typed before."""
    choice = await context.runtime.purchases.choose_amount(context.identity)
    return await _choose(context, choice, channel, chosen=chosen, typed=typed)


async def _state(context: Context) -> BillingState | None:
    """Return the billing state; None if it cannot be had now."""
    try:
        return await context.runtime.billing.state(context.identity)
    except BillingError:
        return None


ACTIONS = {
    ids.ADD_FUNDS: handle_add_funds,
    ids.REFRESH_AMOUNT: handle_refresh_amount,
    ids.BACK_TO_AMOUNT: handle_back,
    ids.CHECK_CARD: handle_check_card,
    ids.CHECK_AGAIN: handle_check_again,
    ids.RESUME: handle_resume,
}
SUBMISSIONS = {ids.AMOUNT_VIEW: handle_amount, ids.CONFIRM_VIEW: handle_pay}
CLOSINGS = {ids.CONFIRM_VIEW: handle_confirm_closed}
