"""The auto-reload screens: current setting, form, consent and outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.inputs import text_input
from blocks.kit import Block, Json, actions, button, context, escape, modal, portal_button, section
from blocks.words import MANAGERS, auto_reload_line, manages, method_name, organization, switch_off, whose
from bot.domain.billing import AutoReloadCardKind, AutoReloadChoice
from bot.domain.money import nearest_cents, payable, show

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState
    from bot.domain.identity import Account
    from bot.domain.money import Bounds

TITLE = "Auto-reload"
ORDER = "Choose more than the amount it falls below"
BOTH = "Enter both amounts"
ALREADY_OFF = "Auto-reload is off already."
_WHAT_IT_DOES = "Automatically adds funds when the balance drops below an amount you choose."
SAVING = "Saving…"


def auto_reload_modal(
    state: BillingState,
    *,
    note: str | None = None,
    most: Decimal | None = None,
    below: Decimal | None = None,
) -> Json:
    """Make the auto-reload modal.

    It is a form for a person who may change the setting, and shows the setting to all others. `most` is the
    largest reload that this app's operator allows, in US dollars. `below` is the first amount if the person
    has typed that one alone; the second is asked for then.
    """
    if not state.may_charge or state.payment_method is None:
        return modal(TITLE, *_now(state), *_elsewhere(state), callback_id=ids.INFO_VIEW)
    setting = state.auto_reload
    return modal(
        TITLE,
        section(note) if note else None,
        *_now(state),
        _line(
            "When the balance falls below",
            ids.RELOAD_BELOW,
            below or (setting.threshold if setting else None),
            state.bounds,
        ),
        _line(
            "Reload it to",
            ids.RELOAD_TO,
            setting.reload_to if setting and below is None else None,
            state.bounds.below(most),
            asked=below is not None,
        ),
        actions(
            button("Turn off", ids.AUTO_RELOAD_OFF) if _is_on(state) else None,
            portal_button(state.portal_url),
        ),
        callback_id=ids.AUTO_RELOAD_VIEW,
        submit="Review",
    )


def auto_reload_confirm_modal(
    choice: AutoReloadChoice, state: BillingState, account: Account, *, confirmation_id: str
) -> Json:
    """Make the consent modal; it carries `confirmation_id` and names what may be charged."""
    return modal(
        TITLE,
        *(_turning_on(choice, state) if choice.enabled else [section(_TURNING_OFF)]),
        context(f"For {whose(account)}."),
        actions(
            portal_button(state.portal_url),
            button("Back", ids.AUTO_RELOAD_BACK),
        ),
        callback_id=ids.AUTO_RELOAD_CONFIRM_VIEW,
        submit=_submit(choice, state),
        close="Cancel",
        private_metadata=confirmation_id,
    )


def _submit(choice: AutoReloadChoice, state: BillingState) -> str:
    if not choice.enabled:
        return "Turn off"
    return "Save" if _is_on(state) else "Turn on"


_TURNING_OFF = "Turn off auto-reload? You'll need to add funds manually."


def _turning_on(choice: AutoReloadChoice, state: BillingState) -> list[Block | None]:
    """Return the consent. It says "up to": the API does not say if `reload_to` is a target or a sum."""
    method = state.payment_method
    what = f"your {method_name(method)}" if method else "your payment method"
    return [
        section(
            f"Auto-reload charges up to *{show(choice.reload_to)}* when the balance of "
            f"*{organization(state.organization_name)}* falls below *{show(choice.threshold)}*."
        ),
        section(
            f"By confirming, you allow Nous Research to charge {escape(what)} each time this happens, "
            "without asking again."
        ),
    ]


def auto_reload_done_modal(choice: AutoReloadChoice) -> Json:
    """Make the modal that shows the outcome."""
    words = (
        f":white_check_mark: *Auto-reload is on:* charges up to {show(choice.reload_to)} when the balance "
        f"falls below {show(choice.threshold)}."
        if choice.enabled
        else ":white_check_mark: *Auto-reload is off.* We won't add funds automatically anymore."
    )
    return modal(TITLE, section(words), callback_id=ids.INFO_VIEW)


def _is_on(state: BillingState) -> bool:
    return state.auto_reload is not None and state.auto_reload.enabled


def _now(state: BillingState) -> list[Block | None]:
    setting = state.auto_reload
    if setting is None and not state.may_change_plan:
        words = f"{MANAGERS.capitalize()} manages auto-reload."
        return [section(words), context(_WHAT_IT_DOES)]
    line = "off" if setting is None else auto_reload_line(setting)
    distinct = setting is not None and setting.card_kind is AutoReloadCardKind.DISTINCT
    return [
        section(f"Auto-reload is *{line}*."),
        context("It uses another card than the one on file.") if distinct else None,
        context(_WHAT_IT_DOES),
    ]


def _elsewhere(state: BillingState) -> list[Block | None]:
    """Say why auto-reload cannot be changed here, and where it can be."""
    if not state.may_change_plan:
        changed_by = "The portal does not let your account change it." if manages(state.role) else None
        words = changed_by or f"{MANAGERS.capitalize()} can change it, here or in the portal."
    elif not state.billing_enabled:
        words = switch_off(state.role, state.organization_name)
    else:
        words = "It needs a payment method on file. Add one in the portal first."
    off = button("Turn off", ids.AUTO_RELOAD_OFF) if state.may_charge and _is_on(state) else None
    return [
        context(words),
        actions(off, portal_button(state.portal_url)),
    ]


def _line(
    label: str, block_id: str, current: Decimal | None, bounds: Bounds, *, asked: bool = False
) -> Block:
    # Show a stored value below today's minimum unchanged: a stored setting always opens (behavior 21).
    set_now = current is not None and current > 0
    hints = ["Enter this amount too" if asked else None, _bounds(bounds)]
    return text_input(
        label,
        block_id=block_id,
        action_id=block_id,
        placeholder="e.g. 25",
        initial=show(current) if current is not None and payable(nearest_cents(current)) else None,
        hint=". ".join(hint for hint in hints if hint) or None,
        optional=set_now,
        focused=asked,
    )


def _bounds(bounds: Bounds) -> str | None:
    if bounds.minimum is None or bounds.maximum is None:
        return None
    return f"Between {show(bounds.minimum)} and {show(bounds.maximum)}"
