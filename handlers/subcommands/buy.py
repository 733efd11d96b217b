"""`/billing buy [AMOUNT]`: from the amount to the person's yes. The engine does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.charge import (
    already_message,
    charge_message,
    charge_modal,
    permission_missing_message,
    resumed_message,
)
from blocks.errors import rule_words
from blocks.help import amount_help_message
from blocks.loading import loading_modal
from blocks.purchase import (
    AmountForm,
    add_card_modal,
    amount_modal,
    amount_problem,
    closed_modal,
    confirm_modal,
    processing_modal,
)
from bot.domain.charge import ON_ITS_WAY, OPEN
from bot.domain.errors import PermissionMissingError
from bot.domain.money import AmountError, parse_typed, show
from bot.domain.rules import RuleError
from bot.services.purchases import BuyAgainError
from handlers.home import remember_overview

if TYPE_CHECKING:
    from decimal import Decimal

    from blocks.kit import Json
    from bot.domain.billing import BillingState
    from handlers.call import Call


async def handle_buy(call: Call) -> None:
    """Ask for an amount, or go straight to the confirmation with the typed one."""
    amount = None
    if call.text:
        try:
            amount = parse_typed(call.text)
        except AmountError as error:
            await call.reply(amount_help_message(call.text, amount_problem(error)))
            return
    await call.open_loading("Add funds")
    await call.show(await _next_step(call, amount))


async def handle_add_funds(call: Call) -> None:
    """Ask for an amount."""
    call.wanted = "buy"
    await call.open_loading("Add funds")
    await remember_overview(call)
    await call.show(await _next_step(call, None))


async def handle_refresh_amount(call: Call) -> None:
    """Ask for the amount again with the balance as it is now; what was chosen and typed stays."""
    view = call.view
    call.view_id, call.view_hash, call.view_title = view["id"], view.get("hash"), "Add funds"
    chosen, typed = call.typed(ids.AMOUNT_PRESET), call.typed(ids.AMOUNT_CUSTOM)
    await call.show(await _ask_amount(call, chosen=chosen, typed=typed))


async def handle_amount_choice(call: Call) -> None:
    """Show the line to type in for another amount, and take it away for a preset."""
    view = call.view
    chosen = (call.action.get("selected_option") or {}).get("value")
    has_line = any(block.get("block_id") == ids.AMOUNT_CUSTOM for block in view["blocks"])
    if has_line == (chosen == ids.CUSTOM):
        return
    call.view_id, call.view_hash, call.view_title = view["id"], view.get("hash"), "Add funds"
    await call.show(amount_modal(AmountForm.recall(call.metadata), chosen=chosen))


async def handle_amount(call: Call) -> None:
    """Read the chosen amount; go on to the confirmation, or say what is wrong beside the field."""
    call.view_id, call.view_title = call.view["id"], "Add funds"
    form = AmountForm.recall(call.metadata)
    try:
        amount = form.bounds.check(_chosen_amount(call))
    except AmountError as error:
        await _refuse_amount(call, form.problem(error))
        return
    except _TwoAmountsError:
        await _refuse_amount(call, "You chose an amount above too. Clear this, or choose “Another amount”")
        return
    call.wanted = f"buy {format(amount, 'f')}"
    await call.become(loading_modal("Add funds"), _next_step(call, amount))


async def _refuse_amount(call: Call, words: str) -> None:
    """Put the words beside the line to type in, or beside the choice where the line is not there yet."""
    field = ids.AMOUNT_CUSTOM if ids.AMOUNT_CUSTOM in call.inputs else ids.AMOUNT_PRESET
    await call.ack(response_action="errors", errors={field: words})


async def handle_back(call: Call) -> None:
    """Return to the amount; a proposal that was shown is turned down."""
    await call.open_loading("Add funds")
    charge_id = call.action.get("value")
    typed = call.metadata if call.view.get("callback_id") == ids.CARD_VIEW else ""
    if charge_id:
        charge = await call.runtime.purchases.cancel(call.identity, charge_id)
        typed = show(charge.amount)
    await call.show(await _ask_amount(call, typed=typed or None))


async def handle_check_card(call: Call) -> None:
    """Look again whether there is a payment method, and go on with the purchase if so."""
    await call.open_loading("Add a card first")
    amount = parse_typed(call.metadata) if call.metadata else None
    await call.show(await _next_step(call, amount, checked=True))


async def handle_pay(call: Call) -> None:
    """Store the person's yes before anything else; the acknowledgement says that it is under way."""
    call.view_id, call.view_title = call.view["id"], "Confirm purchase"
    # A database that is slow must not cost the acknowledgement.
    await call.become(loading_modal("Confirm purchase", doing="Storing your yes…"), _confirm(call))


async def _confirm(call: Call) -> Json:
    """Store the yes, once; return the modal that says so."""
    charge_id, _, warned_of = call.metadata.partition(" ")
    try:
        charge = await call.runtime.purchases.confirm(
            call.identity, charge_id, view_id=call.view_id, warned_of=warned_of or None
        )
    except BuyAgainError as error:
        return confirm_modal(error.charge, open_equal=error.other)
    return processing_modal(charge) if charge.state in ON_ITS_WAY else charge_modal(charge)


async def handle_confirm_closed(call: Call) -> None:
    """Turn the proposal down: the person closed the confirmation."""
    await call.runtime.purchases.cancel(call.identity, call.metadata.partition(" ")[0])


async def handle_check_again(call: Call) -> None:
    """Have an open charge asked about now; its message, or the modal, is brought up to date."""
    charge = await call.runtime.purchases.check_again(
        call.identity, call.action.get("value") or "", view_id=call.clicked_modal
    )
    if charge.state not in OPEN:
        await call.reply(charge_message(charge))
    elif call.clicked_modal is not None:
        await call.open_loading("Checking")


async def handle_resume(call: Call) -> None:
    """Go on with a purchase that waited for the billing permission: the same charge, the same key."""
    charge_id = call.action.get("value") or ""
    try:
        charge, resumed = await call.runtime.purchases.resume(
            call.identity, charge_id, view_id=call.clicked_modal
        )
    except PermissionMissingError:
        charge = await call.runtime.purchases.trace(call.identity, charge_id)
        await call.reply(permission_missing_message(charge))
        return
    if not resumed:
        await call.reply(already_message(charge))
    elif call.clicked_modal is not None:
        await call.open_loading("Processing")
        await call.show(processing_modal(charge))
    elif call.in_ephemeral:
        await call.reply(resumed_message(charge))


async def _next_step(call: Call, amount: Decimal | None, *, checked: bool = False) -> Json:
    """Return the next view towards a charge: a payment method, an amount, or the confirmation."""
    await call.runtime.permission.require_spending(call.identity)
    state = await call.runtime.billing.state(call.identity)
    state.require_charging()
    if state.payment_method is None:
        typed = show(amount) if amount is not None else None
        return add_card_modal(state, typed=typed, still=checked)
    form = await _form(call, state)
    if form.is_closed:
        return closed_modal(form, state)
    if amount is None:
        return amount_modal(form)
    try:
        form.bounds.check(amount)
        proposal = await call.runtime.purchases.propose(call.identity, amount, state)
    except AmountError as error:
        return amount_modal(form, typed=show(amount), problem=form.problem(error))
    except RuleError as error:
        if error.limit is None:
            raise
        return amount_modal(form, typed=show(amount), problem=rule_words(error).removesuffix("."))
    return confirm_modal(proposal.charge, open_equal=proposal.open_equal)


async def _ask_amount(call: Call, *, chosen: str | None = None, typed: str | None = None) -> Json:
    """Return the view that asks for an amount, or says why none can be charged."""
    state = await call.runtime.billing.state(call.identity)
    form = await _form(call, state)
    return closed_modal(form, state) if form.is_closed else amount_modal(form, chosen=chosen, typed=typed)


async def _form(call: Call, state: BillingState) -> AmountForm:
    """Make the form with all that bounds an amount for this person now."""
    permission = call.runtime.permission
    link = await call.runtime.accounts.link(call.identity)
    return AmountForm.of(
        state,
        permission.rules,
        left_today=await permission.left_today(call.identity),
        read_at=call.runtime.clock.now(),
        account=link.account,
    )


class _TwoAmountsError(Exception):
    """A preset and another amount were both given: it is not for us to say which was meant."""


def _chosen_amount(call: Call) -> Decimal:
    preset = call.typed(ids.AMOUNT_PRESET)
    custom = (call.typed(ids.AMOUNT_CUSTOM) or "").strip()
    if preset in {None, ids.CUSTOM}:
        return parse_typed(custom)
    amount = parse_typed(preset or "")
    if custom and parse_typed(custom) != amount:
        raise _TwoAmountsError
    return amount


ACTIONS = {
    ids.ADD_FUNDS: handle_add_funds,
    ids.REFRESH_AMOUNT: handle_refresh_amount,
    ids.AMOUNT_PRESET: handle_amount_choice,
    ids.BACK_TO_AMOUNT: handle_back,
    ids.CHECK_CARD: handle_check_card,
    ids.CHECK_AGAIN: handle_check_again,
    ids.RESUME: handle_resume,
}
SUBMISSIONS = {ids.AMOUNT_VIEW: handle_amount, ids.CONFIRM_VIEW: handle_pay}
CLOSINGS = {ids.CONFIRM_VIEW: handle_confirm_closed}
