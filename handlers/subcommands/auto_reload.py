"""`/billing auto-reload [BELOW TO | off]`: show the setting, and change it after a confirmation."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids
from blocks.auto_reload import (
    ALREADY_OFF,
    BOTH,
    ORDER,
    SAVING,
    TITLE,
    auto_reload_confirm_modal,
    auto_reload_done_modal,
    auto_reload_modal,
)
from blocks.errors import rule_words
from blocks.loading import loading_modal
from blocks.purchase import amount_problem
from bot.domain.billing import AutoReload, AutoReloadChoice, AutoReloadOrderError
from bot.domain.errors import StaleError
from bot.domain.money import AmountError, Bounds, parse_typed
from bot.domain.rules import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from blocks.kit import Json
    from bot.domain.billing import BillingState
    from handlers.context import Context

ARGUMENTS = 2
OFF = "off"
CONFIRMATION_KIND = "auto-reload"


async def handle_auto_reload(context: Context) -> None:
    """Show the form, or the confirmation of the typed setting."""
    context.wanted = context.wanted or "auto-reload"
    await context.reply.open_modal(TITLE)
    context.runtime.permission.require_changes(context.identity)
    state = await context.runtime.billing.state(context.identity)
    words = context.text.lower().split()
    if not words:
        await context.reply.show(_form(context, state))
        return
    state.require_charging()
    if words == [OFF] and not _setting(state).enabled:
        await context.reply.show(_form(context, state, note=f"*{ALREADY_OFF}*"))
        return
    if len(words) == 1 and words != [OFF]:
        await context.reply.show(_half_typed(context, state, words[0]))
        return
    await context.reply.show(await _confirm_modal(context, state, lambda: _typed_choice(words, state)))


def _half_typed(context: Context, state: BillingState, typed: str) -> Json:
    """Keep the one typed amount, and ask for the other beside its field."""
    try:
        below = parse_typed(typed)
    except AmountError as error:
        return _form(context, state, note=f"*{amount_problem(error)}.*")
    return _form(context, state, below=below)


async def handle_form(context: Context) -> None:
    """Check the entered amounts, then show the confirmation with the current state."""
    context.reply.in_submitted_modal(TITLE)
    try:
        below = _amount(context.request.entered(ids.RELOAD_BELOW))
    except AmountError as error:
        await context.reply.ack(response_action="errors", errors={ids.RELOAD_BELOW: amount_problem(error)})
        return
    try:
        to = _amount(context.request.entered(ids.RELOAD_TO))
        if below is not None and to is not None:
            AutoReloadChoice.on(below, to, Bounds())
    except AmountError as error:
        await context.reply.ack(response_action="errors", errors={ids.RELOAD_TO: amount_problem(error)})
        return
    except AutoReloadOrderError:
        await context.reply.ack(response_action="errors", errors={ids.RELOAD_TO: ORDER})
        return
    await context.reply.become(loading_modal(TITLE), _confirmation(context, below, to))


async def handle_off(context: Context) -> None:
    """Ask for a confirmation to switch auto-reload off."""
    await context.reply.open_modal(TITLE)
    state = await context.runtime.billing.state(context.identity)
    state.require_charging()
    await context.reply.show(
        await _confirm_modal(context, state, lambda: AutoReloadChoice.off(_setting(state)))
    )


async def handle_confirmed(context: Context) -> None:
    """Save the confirmed setting, once, within 15 minutes."""
    context.reply.in_submitted_modal(TITLE)
    context.wanted = "auto-reload"
    await context.reply.become(loading_modal(TITLE, doing=SAVING), _save(context))


async def _save(context: Context) -> Json:
    link = await context.runtime.accounts.link(context.identity)
    shown = await context.runtime.pending_confirmations.take(
        context.identity, link.account, CONFIRMATION_KIND, context.request.metadata
    )
    if shown is None:
        raise StaleError
    choice = _read(shown)
    state = await context.runtime.billing.state(context.identity)
    state.require_charging()
    await context.runtime.billing.set_auto_reload(context.identity, choice)
    return auto_reload_done_modal(choice)


async def _confirmation(context: Context, below: Decimal | None, to: Decimal | None) -> Json:
    """Use the current setting for an empty input, and ask for the confirmation."""
    state = await context.runtime.billing.state(context.identity)
    state.require_charging()
    setting = state.auto_reload
    threshold = below if below is not None else (setting.threshold if setting else None)
    reload_to = to if to is not None else (setting.reload_to if setting else None)
    if threshold is None or reload_to is None:
        return _form(context, state, note=f"*{BOTH}.*")
    return await _confirm_modal(
        context, state, lambda: AutoReloadChoice.on(threshold, reload_to, state.bounds)
    )


async def _confirm_modal(
    context: Context, state: BillingState, choose: Callable[[], AutoReloadChoice]
) -> Json:
    """Return the confirmation of a choice, or the form with the problem of the choice."""
    try:
        choice = choose()
        if choice.enabled and state.payment_method is None:
            return _form(context, state)
        await context.runtime.permission.require_auto_reload(context.identity, choice)
    except AmountError as error:
        return _form(context, state, note=f"*{amount_problem(error)}.*")
    except AutoReloadOrderError:
        return _form(context, state, note=f"*{ORDER}.*")
    except RuleError as error:
        if error.limit is None:
            raise
        return _form(context, state, note=f"*{rule_words(error)}*")
    link = await context.runtime.accounts.link(context.identity)
    confirmation_id = await context.runtime.pending_confirmations.put(
        context.identity, link.account, CONFIRMATION_KIND, _written(choice)
    )
    return auto_reload_confirm_modal(choice, state, link.account, confirmation_id=confirmation_id)


def _form(
    context: Context, state: BillingState, *, note: str | None = None, below: Decimal | None = None
) -> Json:
    most = context.runtime.permission.rules.at_once
    return auto_reload_modal(state, note=note, most=most, below=below)


def _written(choice: AutoReloadChoice) -> str:
    return json.dumps([choice.enabled, format(choice.threshold, "f"), format(choice.reload_to, "f")])


def _read(written: str) -> AutoReloadChoice:
    enabled, threshold, reload_to = json.loads(written)
    return AutoReloadChoice(enabled=enabled, threshold=Decimal(threshold), reload_to=Decimal(reload_to))


def _typed_choice(words: list[str], state: BillingState) -> AutoReloadChoice:
    if words == [OFF]:
        return AutoReloadChoice.off(_setting(state))
    # With too many or too few words, read an invalid amount, so that one clear error is shown.
    below, to = words if len(words) == ARGUMENTS else ("", "")
    return AutoReloadChoice.on(parse_typed(below), parse_typed(to), state.bounds)


def _setting(state: BillingState) -> AutoReload:
    if state.auto_reload is None:
        return AutoReload(enabled=False, threshold=None, reload_to=None)
    return state.auto_reload


def _amount(typed: str | None) -> Decimal | None:
    """Read an amount; None if nothing was typed."""
    return parse_typed(typed) if typed and typed.strip() else None


ACTIONS = {
    ids.AUTO_RELOAD: handle_auto_reload,
    ids.AUTO_RELOAD_BACK: handle_auto_reload,
    ids.AUTO_RELOAD_OFF: handle_off,
}
SUBMISSIONS = {ids.AUTO_RELOAD_VIEW: handle_form, ids.AUTO_RELOAD_CONFIRM_VIEW: handle_confirmed}
