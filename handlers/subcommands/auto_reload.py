"""`/billing auto-reload [BELOW TO | off]`: shown, changed, each change confirmed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from blocks import ids
from blocks.auto_reload import (
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
    from handlers.call import Call

ORDER = "Choose more than the amount it falls below"
ARGUMENTS = 2
INTENT = "auto-reload"


async def handle_auto_reload(call: Call) -> None:
    """Show the form, or go straight to the confirmation of what was typed."""
    await call.open_loading(TITLE)
    call.runtime.permission.require_changes()
    state = await call.runtime.billing.state(call.identity)
    words = call.text.split()
    if not words:
        await call.show(_form(call, state))
        return
    state.require_charging()
    await call.show(await _confirm_modal(call, state, lambda: _typed_choice(words, state)))


async def handle_form(call: Call) -> None:
    """Check what was typed at once; the confirmation follows with the state as it is then."""
    call.view_id, call.view_title = call.view["id"], TITLE
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
    await call.show(await _confirm_modal(call, state, lambda: AutoReloadChoice.off(_setting(state))))


async def handle_confirmed(call: Call) -> None:
    """Save what was shown, once, and not a quarter of an hour later."""
    call.view_id, call.view_title = call.view["id"], TITLE
    call.wanted = "auto-reload"
    await call.become(loading_modal(TITLE, doing="Saving…"), _save(call))


async def _save(call: Call) -> Json:
    link = await call.runtime.accounts.link(call.identity)
    shown = await call.runtime.intents.take(call.identity, link.account, INTENT, call.metadata)
    if shown is None:
        raise StaleError
    choice = _read(shown)
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
        return _form(call, state, note="*Enter both amounts.*")
    return await _confirm_modal(
        call, state, lambda: AutoReloadChoice.on(threshold, reload_to, state.bounds)
    )


async def _confirm_modal(call: Call, state: BillingState, choose: Callable[[], AutoReloadChoice]) -> Json:
    """Ask for the consent to a choice, or show the form with what is wrong with it."""
    try:
        choice = choose()
        if choice.enabled and state.payment_method is None:
            return _form(call, state)
        await call.runtime.permission.require_auto_reload(call.identity, choice)
    except AmountError as error:
        return _form(call, state, note=f"*{amount_problem(error)}.*")
    except AutoReloadOrderError:
        return _form(call, state, note=f"*{ORDER}.*")
    except RuleError as error:
        if error.limit is None:
            raise
        return _form(call, state, note=f"*{rule_words(error)}*")
    link = await call.runtime.accounts.link(call.identity)
    intent = await call.runtime.intents.put(call.identity, link.account, INTENT, _written(choice))
    return auto_reload_confirm_modal(choice, state, link.account, intent=intent)


def _form(call: Call, state: BillingState, *, note: str | None = None) -> Json:
    return auto_reload_modal(state, note=note, most=call.runtime.permission.rules.at_once)


def _written(choice: AutoReloadChoice) -> str:
    return json.dumps([choice.enabled, format(choice.threshold, "f"), format(choice.reload_to, "f")])


def _read(written: str) -> AutoReloadChoice:
    enabled, threshold, reload_to = json.loads(written)
    return AutoReloadChoice(enabled=enabled, threshold=Decimal(threshold), reload_to=Decimal(reload_to))


def _typed_choice(words: list[str], state: BillingState) -> AutoReloadChoice:
    if [word.lower() for word in words] == ["off"]:
        return AutoReloadChoice.off(_setting(state))
    # A word too many or too few is read as an amount that is none: one clear sentence either way.
    below, to = words if len(words) == ARGUMENTS else ("", "")
    return AutoReloadChoice.on(parse_typed(below), parse_typed(to), state.bounds)


def _setting(state: BillingState) -> AutoReload:
    if state.auto_reload is None:
        return AutoReload(enabled=False, threshold=None, reload_to=None)
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
