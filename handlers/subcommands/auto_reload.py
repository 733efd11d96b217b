"""`/billing auto-reload [BELOW TO | off]`: shown, changed, each change confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.auto_reload import (
    TITLE,
    auto_reload_confirm_modal,
    auto_reload_done_modal,
    auto_reload_modal,
    recall,
)
from blocks.loading import loading_modal
from blocks.purchase import amount_problem
from bot.domain.billing import AutoReloadChoice, AutoReloadOrderError
from bot.domain.errors import NotAllowedError, RefusalCode, StaleError
from bot.domain.money import AmountError, Bounds, parse_typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from blocks.kit import Json
    from bot.domain.billing import AutoReload, BillingState
    from handlers.call import Call

ORDER = "Choose more than the amount it falls below"
ARGUMENTS = 2


async def handle_auto_reload(call: Call) -> None:
    """Show the form, or go straight to the confirmation of what was typed."""
    await call.open_loading(TITLE)
    call.runtime.permission.require_changes()
    state = await call.runtime.billing.state(call.identity)
    words = call.text.split()
    if not words:
        await call.show(auto_reload_modal(state))
        return
    state.require_charging()
    await call.show(_confirm_modal(state, lambda: _typed_choice(words, state)))


async def handle_form(call: Call) -> None:
    """Check what was typed at once; the confirmation follows with the state as it is then."""
    call.view_id, call.view_title = call.body["view"]["id"], TITLE
    try:
        below = _amount(call.typed(ids.RELOAD_BELOW))
    except AmountError as error:
        await call.ack(response_action="errors", errors={ids.RELOAD_BELOW: amount_problem(error)})
        return
    try:
        to = _amount(call.typed(ids.RELOAD_TO))
        if below is not None and to is not None:
            AutoReloadChoice.on(below, to, Bounds())
    except AmountError as error:
        await call.ack(response_action="errors", errors={ids.RELOAD_TO: amount_problem(error)})
        return
    except AutoReloadOrderError:
        await call.ack(response_action="errors", errors={ids.RELOAD_TO: ORDER})
        return
    await call.become(loading_modal(TITLE), _confirmation(call, below, to))


async def handle_off(call: Call) -> None:
    """Ask before switching it off."""
    await call.open_loading(TITLE)
    state = await call.runtime.billing.state(call.identity)
    state.require_charging()
    await call.show(auto_reload_confirm_modal(AutoReloadChoice.off(_setting(state)), state))


async def handle_confirmed(call: Call) -> None:
    """Save it. Sending the same setting twice changes nothing, so a repeated click is harmless."""
    call.view_id, call.view_title = call.body["view"]["id"], TITLE
    choice = recall(call.metadata)
    if choice is None:
        raise StaleError
    await call.become(loading_modal(TITLE, doing="Saving…"), _save(call, choice))


async def _save(call: Call, choice: AutoReloadChoice) -> Json:
    state = await call.runtime.billing.state(call.identity)
    state.require_charging()
    await call.runtime.billing.set_auto_reload(call.identity, choice)
    return auto_reload_done_modal(choice)


async def _confirmation(call: Call, below: Decimal | None, to: Decimal | None) -> Json:
    """Fill in what was left empty with what is set, and ask."""
    state = await call.runtime.billing.state(call.identity)
    state.require_charging()
    setting = state.auto_reload
    threshold = below if below is not None else (setting.threshold if setting else None)
    reload_to = to if to is not None else (setting.reload_to if setting else None)
    if threshold is None or reload_to is None:
        return auto_reload_modal(state, note="*Enter both amounts.*")
    return _confirm_modal(state, lambda: AutoReloadChoice.on(threshold, reload_to, state.bounds))


def _confirm_modal(state: BillingState, choose: Callable[[], AutoReloadChoice]) -> Json:
    """Ask for the consent to a choice, or show the form with what is wrong with it."""
    try:
        return auto_reload_confirm_modal(choose(), state)
    except AmountError as error:
        return auto_reload_modal(state, note=f"*{amount_problem(error)}.*")
    except AutoReloadOrderError:
        return auto_reload_modal(state, note=f"*{ORDER}.*")


def _typed_choice(words: list[str], state: BillingState) -> AutoReloadChoice:
    if [word.lower() for word in words] == ["off"]:
        return AutoReloadChoice.off(_setting(state))
    # A word too many or too few is read as an amount that is none: one clear sentence either way.
    below, to = words if len(words) == ARGUMENTS else ("", "")
    return AutoReloadChoice.on(parse_typed(below), parse_typed(to), state.bounds)


def _setting(state: BillingState) -> AutoReload:
    if state.auto_reload is None:
        raise NotAllowedError(RefusalCode.ROLE_REQUIRED, state.portal_url)
    return state.auto_reload


def _amount(typed: str | None) -> Decimal | None:
    """Read an amount; nothing typed keeps what is set."""
    return parse_typed(typed) if typed and typed.strip() else None


ACTIONS = {
    ids.AUTO_RELOAD: handle_auto_reload,
    ids.AUTO_RELOAD_BACK: handle_auto_reload,
    ids.AUTO_RELOAD_OFF: handle_off,
}
SUBMISSIONS = {ids.AUTO_RELOAD_VIEW: handle_form, ids.AUTO_RELOAD_CONFIRM_VIEW: handle_confirmed}
