"""Auto-reload: what it does now, the form, the consent, and the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks import ids
from blocks.kit import Block, Json, actions, button, context, escape, modal, section, text_input
from blocks.words import auto_reload_line, card_name
from bot.domain.billing import AutoReloadCardKind, AutoReloadChoice
from bot.domain.money import show

if TYPE_CHECKING:
    from decimal import Decimal

    from bot.domain.billing import BillingState

TITLE = "Auto-reload"


def auto_reload_modal(state: BillingState, *, note: str | None = None) -> Json:
    """Make the modal: the form for whoever may change it, what is set for everybody else."""
    if not state.may_charge:
        return modal(TITLE, *_now(state), *_elsewhere(state), callback_id=ids.INFO_VIEW)
    setting = state.auto_reload
    enabled = setting is not None and setting.enabled
    return modal(
        TITLE,
        section(note) if note else None,
        *_now(state),
        _line("When the balance falls below", ids.RELOAD_BELOW, setting.threshold if setting else None),
        _line("Reload it to", ids.RELOAD_TO, setting.reload_to if setting else None),
        actions(
            button("Turn off", ids.AUTO_RELOAD_OFF) if enabled else None,
            button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url),
        ),
        callback_id=ids.AUTO_RELOAD_VIEW,
        submit="Continue",
    )


def auto_reload_confirm_modal(choice: AutoReloadChoice, state: BillingState, *, intent: str) -> Json:
    """Make the modal in which the person agrees, with `intent`; the consent names the card."""
    card = f"your {card_name(state.card)}" if state.card else "your card"
    consent = f"By confirming, you allow Nous Research to charge {escape(card)} each time this happens."
    words = (
        f"Whenever the balance of *{escape(state.organisation_name or 'your organisation')}* falls below "
        f"*{show(choice.threshold)}*, funds are bought until it is *{show(choice.reload_to)}*."
        if choice.enabled
        else "Turn auto-reload off? Funds are then bought only when somebody buys them."
    )
    return modal(
        TITLE,
        section(words),
        section(consent) if choice.enabled else None,
        actions(
            button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url),
            button("Back", ids.AUTO_RELOAD_BACK),
        ),
        callback_id=ids.AUTO_RELOAD_CONFIRM_VIEW,
        submit="Turn on" if choice.enabled else "Turn off",
        close="Cancel",
        private_metadata=intent,
    )


def auto_reload_done_modal(choice: AutoReloadChoice) -> Json:
    """Make the modal's last word."""
    words = (
        f":white_check_mark: *Auto-reload is on:* below {show(choice.threshold)}, "
        f"reload to {show(choice.reload_to)}."
        if choice.enabled
        else ":white_check_mark: *Auto-reload is off.* Nothing is bought by itself any more."
    )
    return modal(TITLE, section(words), callback_id=ids.INFO_VIEW)


def _now(state: BillingState) -> list[Block | None]:
    setting = state.auto_reload
    line = "not visible" if setting is None else auto_reload_line(setting)
    distinct = setting is not None and setting.card_kind is AutoReloadCardKind.DISTINCT
    return [
        section(f"Auto-reload is *{line}*."),
        context("It uses another card than the one on file.") if distinct else None,
        context("It buys funds by itself whenever the balance falls below an amount you choose."),
    ]


def _elsewhere(state: BillingState) -> list[Block | None]:
    who = "It is changed by owners and admins, or on the portal."
    portal = button("Manage on portal", ids.MANAGE_ON_PORTAL, url=state.portal_url)
    return [context(who), actions(portal)]


def _line(label: str, block_id: str, current: Decimal | None) -> Block:
    # A value below today's minimum is shown as it is: what is stored always opens (behaviour 21).
    set_now = current is not None and current > 0
    return text_input(
        label,
        block_id=block_id,
        action_id=block_id,
        placeholder="e.g. 25",
        hint=f"Now {show(current)}; leave empty to keep it" if set_now else None,
        optional=set_now,
    )
